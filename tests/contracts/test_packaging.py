"""What pyproject.toml promises is what was run."""

import importlib.util
import json
import re
import tomllib
from itertools import product
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import timbrel

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / ".github" / "ISSUE_TEMPLATE"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RESULTS = json.loads((ROOT / "benchmarks/results/versions.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def versions():
    """The module benchmarks/versions.py."""
    found = importlib.util.spec_from_file_location("versions", ROOT / "benchmarks" / "versions.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_everything_that_users_install_has_a_lower_bound():
    extras = PROJECT["optional-dependencies"]
    for text in [*PROJECT["dependencies"], *(extras["train"]), *extras["parquet"], *extras["live"]]:
        (bound,) = Requirement(text).specifier
        assert bound.operator == ">=", text


def test_the_lowest_versions_are_those_of_the_project(versions):
    lines = (ROOT / "constraints-minimum.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == versions.lowest()


def test_what_is_pinned_is_allowed():
    pinned = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            name, _, version = line.partition("==")
            pinned[name.lower().replace("_", "-")] = version
    named = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["train"]]
    for need in map(Requirement, named):
        if need.marker is None or need.marker.evaluate():
            assert need.specifier.contains(pinned[need.name]), need


def test_all_that_was_run_passed():
    for run in RESULTS["runs"]:
        assert run["passed"], (run["python"], run["end"], run["purpose"])
        assert re.search(r"\b\d{3,} passed", run["tests"]), run["tests"]


def test_the_pythons_that_are_claimed_were_run(versions):
    """At both ends, with and without what training needs; a part of that is not enough."""
    ran = {}
    for run in RESULTS["runs"]:
        ran.setdefault(run["python"], set()).add((run["end"], run["purpose"]))
    wanted = set(product(versions.ENDS, versions.EXTRAS))
    claimed = re.findall(
        r"^Programming Language :: Python :: (\d\.\d+)$",
        "\n".join(PROJECT["classifiers"]),
        flags=re.MULTILINE,
    )
    assert claimed == sorted(
        {python.rpartition(".")[0] for python, legs in ran.items() if legs == wanted}
    )
    assert PROJECT["requires-python"] == f">={claimed[0]}"


def test_they_were_run_with_the_bounds_as_they_are(versions):
    assert RESULTS["requirements"] == versions.required()
    for run in RESULTS["runs"]:
        if run["end"] == "minimum":
            for text in PROJECT["dependencies"]:
                need = Requirement(text)
                (bound,) = need.specifier
                assert Requirement(f"x=={bound.version}").specifier.contains(
                    run["packages"][need.name]
                ), (run["python"], text)


def test_the_page_of_versions_says_what_was_run(versions):
    page = (ROOT / "docs/reference/versions.md").read_text(encoding="utf-8")
    assert page == versions.page(RESULTS["runs"], RESULTS["requirements"])


@pytest.mark.parametrize("path", sorted(path.name for path in TEMPLATES.glob("*.yml")))
def test_templates_of_issues_are_forms(path):
    form = yaml.safe_load((TEMPLATES / path).read_text(encoding="utf-8"))
    if path == "config.yml":
        assert form.keys() <= {"blank_issues_enabled", "contact_links"}
        return
    assert {"name", "description", "body"} <= form.keys()
    for item in form["body"]:
        assert item["type"] in {"markdown", "input", "textarea", "dropdown", "checkboxes"}
        assert ("value" if item["type"] == "markdown" else "label") in item["attributes"]
    names = [item["id"] for item in form["body"] if item["type"] != "markdown"]
    assert len(names) == len(set(names))


@pytest.mark.skipif(not TEMPLATES.is_dir(), reason="not of the sdist")
def test_the_workflow_calls_targets_of_make_on_the_pythons_that_are_claimed():
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    runs = [
        step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step
    ]
    targets = [
        target for run in runs for target in re.findall(r"^make ([\w-]+)", run, re.MULTILINE)
    ]
    assert targets == ["lint", "test", "test-release"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    pythons = workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    prefix = "Programming Language :: Python :: "
    assert [f"{prefix}{python}" for python in pythons] == [
        line for line in PROJECT["classifiers"] if line.startswith(prefix)
    ]


@pytest.mark.skipif(not TEMPLATES.is_dir(), reason="not of the sdist")
def test_local_hooks_run_programs_that_make_install_brings():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    local = [hook for repo in hooks["repos"] if repo["repo"] == "local" for hook in repo["hooks"]]
    programs = {hook["entry"].split()[0] for hook in local}
    assert programs == {"ruff", "mypy", "lint-imports"}
    assert {hook["language"] for hook in local} == {"system"}


def test_the_citation_names_this_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {timbrel.__version__}\n" in citation
