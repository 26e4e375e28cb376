"""Layers, public names, docstrings, and what is imported when."""

import ast
import inspect
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import timbrel

ROOT = Path(__file__).parents[2]
HEAVY = (
    *("keras", "tensorflow", "onnxruntime", "matplotlib", "sklearn", "jinja2", "scipy", "pandas"),
    "pyarrow",
)


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_imports_point_downward():
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_public_names_exist_and_explain_themselves():
    for name in timbrel.__all__:
        thing = getattr(timbrel, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert thing.__name__ == name or thing is timbrel.Progress
            assert inspect.getdoc(thing), name
    assert set(timbrel.__all__) <= set(dir(timbrel))
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = timbrel.nonsense


def test_type_checkers_see_the_public_names():
    stub = ast.parse(Path(timbrel.__file__).with_suffix(".pyi").read_text())
    lines = (node for node in stub.body if isinstance(node, ast.ImportFrom))
    seen = {alias.asname: line.module for line in lines for alias in line.names}
    assert seen == timbrel._PUBLIC


def test_public_functions_take_three_positional_arguments_at_most():
    for name in timbrel.__all__:
        thing = getattr(timbrel, name)
        if inspect.isfunction(thing):
            positional = [
                parameter
                for parameter in inspect.signature(thing).parameters.values()
                if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
            ]
            assert len(positional) <= 3, name


@pytest.mark.parametrize("code", ["import timbrel", "from timbrel.cli.main import app"])
def test_importing_the_package_and_the_program_loads_nothing_heavy(code):
    heavy = f"[m for m in {HEAVY} if m in sys.modules]"
    done = run(f"{code}\nimport sys\nprint({heavy})")
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Block())
"""
TRAIN_ONLY = {
    "keras", "tensorflow", "sklearn", "scipy", "onnx", "tf2onnx", "matplotlib", "jinja2", "pandas",
    "pyarrow",
}  # fmt: skip


def test_every_module_without_its_extra_says_which():
    """Whatever is imported where only predicting is installed: it works, or names its extra."""
    modules = sorted(
        found.name
        for found in pkgutil.walk_packages(timbrel.__path__, "timbrel.")
        # The program itself, and what make_synthetic alone imports, and answers for.
        if found.name not in ("timbrel.__main__", "timbrel.dataset.synthesis")
    )
    assert len(modules) > 100
    code = BLOCK.format(blocked={*TRAIN_ONLY, "mutagen", "sounddevice", "jax"}) + (
        "import importlib\n"
        "from timbrel.errors import MissingExtra\n"
        f"for name in {modules!r}:\n"
        "    try:\n"
        "        importlib.import_module(name)\n"
        "    except MissingExtra as error:\n"
        "        assert 'pip install \"timbrel[train]\"' in str(error), (name, error)\n"
        "    else:\n"
        "        print(name)\n"
    )
    done = run(code)
    assert done.returncode == 0, done.stderr
    needless = {"timbrel.cli.main", "timbrel.workflows.predict", "timbrel.workflows.compare"}
    assert needless <= set(done.stdout.split())


def test_finished_models_are_scored_without_keras(tiny_model, tiny_data):
    code = BLOCK.format(blocked=TRAIN_ONLY) + (
        "from timbrel.cli.main import main\n"
        f"main(['evaluate', {str(tiny_data)!r}, '-m', {str(tiny_model)!r}])"
    )
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert "100.0 %" in done.stdout


def test_predicting_works_without_keras(tiny_model, tiny_data):
    code = BLOCK.format(blocked=TRAIN_ONLY) + (
        "from timbrel.cli.main import main\n"
        f"main(['predict', {str(tiny_data / 'hum')!r}, '-m', {str(tiny_model)!r}])"
    )
    done = run(code)
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()
    assert rows[0] == "path,label,predicted,probability,accepted,seconds,error"
    assert len(rows) == 9


def test_a_model_can_be_looked_at_without_keras(tiny_model):
    code = BLOCK.format(blocked=TRAIN_ONLY) + (
        f"from timbrel.cli.main import main\nmain(['info', {str(tiny_model)!r}])"
    )
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert "tutorial-cnn" in done.stdout


@pytest.mark.parametrize(
    "arguments", [["train", "DATA"], ["explore", "DATA"], ["summary", "tutorial-cnn"]]
)
def test_a_missing_extra_is_one_sentence(arguments, tiny_data):
    arguments = [str(tiny_data) if word == "DATA" else word for word in arguments]
    code = BLOCK.format(blocked=TRAIN_ONLY) + (
        f"from timbrel.cli.main import main\nmain({arguments!r})"
    )
    done = run(code)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1] == (
        'Error: Training and feature extraction needs more packages: pip install "timbrel[train]"'
    )


def modules():
    for path in sorted((ROOT / "src").rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_no_parameter_is_a_tuple_of_unlike_things():
    """What belongs together has a name; what does not is a parameter of its own."""
    found = []
    for path, tree in modules():
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef):
                continue
            every = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            for argument in every:
                for part in ast.walk(argument.annotation or ast.Pass()):
                    if not isinstance(part, ast.Subscript) or ast.unparse(part.value) != "tuple":
                        continue
                    kinds = part.slice.elts if isinstance(part.slice, ast.Tuple) else [part.slice]
                    names = {ast.unparse(kind).removesuffix(" | None") for kind in kinds} - {"..."}
                    if len(names) > 1:
                        found.append(f"{path.name}: {node.name}({argument.arg})")
    assert not found, found


def test_one_module_reads_data_sets_and_one_predicts():
    """Whoever wants the sound of a data set asks the corpus; it decodes each recording once."""
    found = set()
    for path, tree in modules():
        calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
        if any(
            ast.unparse(node.func).endswith(("IsolatedDecoder", "WorkerPool")) for node in calls
        ):
            found.add(path.name)
    assert found == {"corpus.py", "predictor.py"}
