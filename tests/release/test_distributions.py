"""The wheel and the sdist: what is in them, and what they say of themselves."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from readme_renderer import markdown

import timbrel

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAME = f"timbrel-{timbrel.__version__}"
AUDIO = {".wav", ".flac", ".mp3", ".ogg", ".aiff", ".aif", ".opus", ".m4a"}


@pytest.fixture(scope="module")
def tracked():
    """The files under version control; without it, in an unpacked sdist, nothing can be told."""
    if not (ROOT / ".git").exists():
        pytest.skip("not under version control here")
    listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
    return set(filter(None, listed.split("\0")))


@pytest.fixture(scope="module")
def in_wheel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def in_sdist(sdist):
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    assert all(member.isfile() for member in members)
    assert {member.name.partition("/")[0] for member in members} == {NAME}
    return {member.name.partition("/")[2] for member in members}


@pytest.fixture(scope="module")
def metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return Metadata.from_email(archive.read(f"{NAME}.dist-info/METADATA"), validate=True)


def test_the_wheel_is_the_package_and_nothing_else(in_wheel, tracked):
    own = {name for name in in_wheel if not name.startswith(f"{NAME}.dist-info/")}
    assert own == {name.removeprefix("src/") for name in tracked if name.startswith("src/timbrel/")}
    assert {name.partition("/")[2] for name in in_wheel - own} == {
        *("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    }


def test_what_the_package_reads_is_in_the_wheel(in_wheel):
    templates = {path.name for path in (ROOT / "src/timbrel/report/templates").iterdir()}
    assert {"report.html.j2", "style.css"} <= templates
    assert {f"timbrel/report/templates/{name}" for name in templates} <= in_wheel


def test_the_sdist_is_what_is_under_version_control(in_sdist, tracked):
    # Written by whatever builds it.
    assert in_sdist - tracked == {"PKG-INFO"}
    # Of use only in the repository.
    missing = {name.partition("/")[0] for name in tracked - in_sdist}
    assert missing == {".ci", ".github", ".pre-commit-config.yaml"}


def test_no_recordings_are_handed_out(in_wheel, in_sdist):
    assert not [name for name in in_wheel | in_sdist if PurePosixPath(name).suffix.lower() in AUDIO]


def test_both_are_small(wheel, sdist):
    """A model of at most 8 MB may be in the package; an index takes 100 MB."""
    assert wheel.stat().st_size < 10e6
    assert sdist.stat().st_size < 14e6


def test_the_sdist_builds_the_same_wheel(wheel, tmp_path):
    """`wheel` was built from the sdist; here from where it was made."""
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_the_metadata_are_those_of_the_project(metadata):
    assert metadata.name == "timbrel"
    assert str(metadata.version) == timbrel.__version__
    assert metadata.license_expression == "MIT"
    assert metadata.license_files == ["LICENSE"]
    assert metadata.requires_python == PROJECT["requires-python"]
    assert metadata.classifiers == PROJECT["classifiers"]
    assert metadata.description_content_type == "text/markdown"
    core = {str(need) for need in metadata.requires_dist if "extra" not in str(need.marker)}
    assert core == {str(Requirement(text)) for text in PROJECT["dependencies"]}
    assert set(metadata.provides_extra) == set(PROJECT["optional-dependencies"])


def test_the_description_shows_on_an_index_as_here(metadata):
    """It is drawn as an index draws it, and leads nowhere that is not there."""
    shown = markdown.render(metadata.description)
    assert shown, "it cannot be rendered"
    assert "<table>" in shown
    assert "timbrel.read_dataset(" in re.sub("<[^>]+>", "", shown)
    targets = re.findall(r'(?:href|src)="([^"]*)"', shown)
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
    assert "](" not in metadata.description
    # A picture goes with the line that announces it.
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for announced in re.findall(r"^(.+:)\n\n!\[", readme, flags=re.MULTILINE):
        assert announced not in metadata.description
