import csv

import pytest

from timbrel.errors import InvalidArgument
from timbrel.workflows.demo import demo


@pytest.mark.slow
def test_the_demo_does_the_whole_job(tmp_path):
    said = []
    result = demo(tmp_path / "demo", recordings=4, epochs=2, say=said.append)
    assert len(said) == 5
    assert said[2].startswith(result.checked.conclusion)
    assert len(result.checked.recordings) == 40
    assert not result.checked.unusable
    assert len(list(result.data.parent.rglob("*.wav"))) == 40
    assert len(result.trained.evaluation["labels"]) == 10
    assert len(result.predictions) == 10
    assert {label for label, _ in result.predictions} == set(result.trained.evaluation["labels"])
    rows = list(csv.DictReader(result.table.read_text().splitlines()))
    assert [row["path"] for row in rows] == [item.path for _, item in result.predictions]


def test_the_demo_overwrites_nobodys_folder(tmp_path):
    (tmp_path / "recordings.csv").write_text("mine")
    with pytest.raises(InvalidArgument, match="was not made by timbrel demo"):
        demo(tmp_path, recordings=2)
    assert (tmp_path / "recordings.csv").read_text() == "mine"
