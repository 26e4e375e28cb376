"""What is shown on a terminal: names that command nothing, and bars that are in nobody's way."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from conftest import RATE, sound
from test_view import crossed, unscored
from timbrel.cli.console import Terminal
from timbrel.display.console import HarmlessConsole, plain_table
from timbrel.files import replacing
from timbrel.report.terminal import print_score, rich_table
from timbrel.report.view import ScoreView, Table, models_table
from timbrel.text import rows_to

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a terminal of POSIX")
if os.name != "nt":
    from screen import on_a_terminal, shown

# So few that `check` cannot look for wrong labels, which takes long.
TAKES = 1
TITLE, CLEAR, BROKEN = "a\x1b]0;PWNED\x07a", "b\x1b[2Jgone", "c\nd\x9b2J"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A class for each of three kinds of sound, with names that would command a terminal."""
    folder = tmp_path_factory.mktemp("hostile")
    kinds = zip(("hiss", "hum", "whistle"), (TITLE, CLEAR, BROKEN), strict=True)
    for number, (kind, name) in enumerate(kinds):
        (folder / name).mkdir()
        for take in range(TAKES):
            rng = np.random.default_rng([number, take])
            soundfile.write(folder / name / f"{take}{name}.wav", sound(kind, 0.5, rng), RATE)
    (folder / TITLE / f"no{BROKEN}.wav").write_bytes(b"no sound")
    return folder


def harmless(raw):
    """Whether there are but the colours and moves of rich, which are all of this kind."""
    text = raw.decode()
    assert not {"\x07", "\x9b"} & set(text)
    assert "\x1b]" not in text
    assert "\x1b[2J" not in text
    return text


@pytest.mark.parametrize("form", ["csv", "audacity"])
def test_rows_on_a_terminal_are_harmless(hostile, tiny_model, form):
    paths = [hostile] if form != "audacity" else [hostile / BROKEN / f"0{BROKEN}.wav"]
    status, raw = on_a_terminal(["predict", *paths, "-m", tiny_model, "-f", form])
    assert status == (0 if form == "audacity" else 1)
    text = harmless(raw)
    if form == "csv":
        assert text.count("a\\x1b]0;PWNED\\x07a.wav,") == TAKES
        assert text.count('c\\nd\\u009b2J.wav",') == TAKES + 1
        assert "Left out: " in text


@pytest.mark.parametrize("command", ["check", "tag"])
def test_tables_and_lines_are_harmless(hostile, tiny_model, tmp_path, command):
    arguments = [command, hostile]
    if command == "tag":
        arguments += ["--to", tmp_path / "out", "--dry-run", "-m", tiny_model]
    status, raw = on_a_terminal(arguments, columns=400)
    harmless(raw)
    assert status == 1
    lines = shown(raw)
    if command == "tag":
        assert sum(" → " in line and line.rstrip().endswith(".wav") for line in lines) == 3 * TAKES
    else:
        assert sum(line.strip().startswith("c\\nd\\u009b2J ") for line in lines) == 1


def test_tables_hold_names_as_wide_as_they_are_shown(capsys):
    table = plain_table(f"Of {BROKEN}", "class", "files")
    for name in (TITLE, CLEAR, BROKEN):
        table.add_row(name, "1")
    terminal = Terminal()
    terminal.out.print(table)
    terminal.out.print(f"{CLEAR} :dog:", markup=False)
    terminal.warn([BROKEN])
    assert terminal.problems([BROKEN]) == 1
    printed = capsys.readouterr()
    assert [line.rstrip() for line in printed.out.splitlines()] == [
        "Of c\\nd\\u009b2J",
        "  class                 files",
        "  a\\x1b]0;PWNED\\x07a        1",
        "  b\\x1b[2Jgone              1",
        "  c\\nd\\u009b2J              1",
        "b\\x1b[2Jgone :dog:",
    ]
    assert printed.err.splitlines() == [
        "Warning: c\\nd\\u009b2J",
        "Left out: c\\nd\\u009b2J",
        "1 recording could not be used.",
    ]


def test_facts_of_a_model_are_harmless(capsys):
    table = Table(f"models/{BROKEN}", ("", ""), [("recipe", CLEAR), ("classes", BROKEN)])
    Terminal().out.print(rich_table(table))
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "models/c\\nd\\u009b2J",
        "recipe           b\\x1b[2Jgone",
        "classes          c\\nd\\u009b2J",
    ]


def test_files_get_rows_as_they_are(tmp_path):
    with open(tmp_path / "x.csv", "w", newline="") as stream:
        assert rows_to(stream) is stream


def test_no_bar_stays_among_the_rows_of_predict(tiny_data, tiny_model):
    status, raw = on_a_terminal(["predict", tiny_data, "-m", tiny_model])
    lines = [line for line in shown(raw) if line]
    assert status == 0
    assert b"predicting" in raw
    assert len(lines) == 25
    assert lines[0].startswith("path,label,")
    assert all(line.startswith(f"{tiny_data}/") for line in lines[1:])


def test_the_bar_of_predict_is_there_where_rows_go_elsewhere(tiny_data, tiny_model, tmp_path):
    files = [tiny_data / "hum" / f"{number}.wav" for number in range(2)]
    arguments = ["predict", *files, "-m", tiny_model, "-o", tmp_path / "x.csv"]
    status, raw = on_a_terminal(arguments)
    assert status == 0
    assert b"predicting" in raw
    assert b"2/2" in raw
    assert not any(shown(raw))


def test_no_bar_stays_among_the_lines_of_tag(tiny_data, tiny_model, tmp_path):
    arguments = ["tag", tiny_data, "--to", tmp_path / "out", "--dry-run", "-m", tiny_model]
    status, raw = on_a_terminal(arguments)
    lines = [line for line in shown(raw) if line]
    assert status == 0
    assert b"sorting" in raw
    assert sum(" → " in line for line in lines) == 24
    assert not any("sorting" in line for line in lines)


def test_text_next_to_a_bar_has_its_own_lines():
    program = (
        "from timbrel.cli.console import Terminal\n"
        "terminal = Terminal()\n"
        "with terminal.progress() as bars:\n"
        "    for number in range(9):\n"
        "        bars.stage('working', number, 9)\n"
        "        bars._bars.refresh()\n"
        "        terminal.out.print(f'result {number}')\n"
        "        terminal.warn([number])\n"
    )
    status, raw = on_a_terminal([], python=["-c", program])
    assert status == 0
    assert b"working" in raw
    expected = [line for number in range(9) for line in (f"result {number}", f"Warning: {number}")]
    assert [line for line in shown(raw) if line] == expected


@pytest.mark.parametrize(
    "options", [[], ["info", "--json"], ["--help"], ["info", "-h"], ["--version"]]
)
def test_a_reader_that_closes_the_pipe_ends_a_command_quietly(tiny_model, options):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "timbrel", *(options or ["info", str(tiny_model)])]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_closed_pipe_is_not_taken_for_the_file_that_is_written(tmp_path):
    with pytest.raises(BrokenPipeError), replacing(tmp_path / "x.json"):
        raise BrokenPipeError
    assert not any(tmp_path.iterdir())


def test_names_that_do_not_fit_their_column_are_whole(tiny_training):
    name = "instruments-of-the-orchestra.onnx"
    evaluation = tiny_training.evaluation | {"predictions": [{}], "unknown": None}
    console = HarmlessConsole(width=80, record=True, file=io.StringIO())
    table = models_table([f"a-{name}", f"b-{name}"], [evaluation, evaluation])
    console.print(rich_table(table))
    text = console.export_text()
    assert "On 1 recording whose files no model was trained on" in text
    assert "…" not in text
    names = "".join(line.split()[0] for line in text.splitlines()[2:])
    assert names == f"a-{name}b-{name}"


@pytest.mark.parametrize("width", [80, 120])
def test_a_score_on_a_terminal_says_what_the_view_does(width):
    view = ScoreView(crossed())
    out = io.StringIO()
    print_score(HarmlessConsole(width=width, file=out), view, whole=True)
    text = out.getvalue()
    assert "\N{NO-BREAK SPACE}" not in text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for sentence in (view.headline, view.measured.more, *view.statements):
        assert str(sentence).replace("\N{NO-BREAK SPACE}", " ") in lines
    assert "Files 85.0 % 75–95 % the score: one answer for each recording" in lines
    assert "a, b 10 80.0 % 90.0 % 60–98 % 84.7 %" in lines
    out.truncate(0)
    print_score(HarmlessConsole(width=width, file=out), ScoreView(unscored()))
    assert "No recording could be scored." in out.getvalue()
