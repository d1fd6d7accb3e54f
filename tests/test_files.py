"""Files appear whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyimagesearch_lr.files import strict_json, written_whole


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_appears_with_what_the_body_wrote(tmp_path):
    with written_whole(tmp_path / "curve.json") as temporary:
        temporary.write_text("whole")
    assert (tmp_path / "curve.json").read_text() == "whole"
    assert names_in(tmp_path) == ["curve.json"]


def test_path_may_be_a_string(tmp_path):
    with written_whole(str(tmp_path / "curve.json")) as temporary:
        temporary.write_text("whole")
    assert names_in(tmp_path) == ["curve.json"]


def test_nothing_is_at_the_path_before_the_body_has_ended(tmp_path):
    with written_whole(tmp_path / "curve.json") as temporary:
        temporary.write_text("half")
        assert not (tmp_path / "curve.json").exists()


def test_old_file_is_there_until_the_new_one_takes_its_place(tmp_path):
    path = tmp_path / "curve.json"
    path.write_text("old")
    with written_whole(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt("Ctrl-C")])
def test_old_file_stays_and_no_temporary_is_left_when_the_body_raises(tmp_path, error):
    path = tmp_path / "curve.json"
    path.write_text("old")
    with pytest.raises(type(error), match=str(error)), written_whole(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["curve.json"]


def test_body_that_writes_nothing_leaves_the_old_file(tmp_path):
    path = tmp_path / "curve.json"
    path.write_text("old")
    with pytest.raises(FileNotFoundError, match="No such file"), written_whole(path):
        pass
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["curve.json"]


def test_missing_folders_are_made(tmp_path):
    with written_whole(tmp_path / "runs" / "first" / "curve.json") as temporary:
        temporary.write_text("whole")
    assert (tmp_path / "runs" / "first" / "curve.json").read_text() == "whole"


@pytest.mark.parametrize("name", ["plot.png", "best.model.keras", "README"])
def test_temporary_is_hidden_beside_the_path_and_has_its_ending(tmp_path, name):
    with written_whole(tmp_path / name) as temporary:
        temporary.write_text("whole")
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        assert temporary.suffix == Path(name).suffix


def test_json_is_strict_and_every_number_is_read_again():
    nan, inf = float("nan"), float("inf")
    text = strict_json({"loss": [1.5, nan, {"inner": (inf, -inf)}], "steps": 3, "none": None, "on": True})
    assert json.loads(text, parse_constant=pytest.fail) == {
        "loss": [1.5, "nan", {"inner": ["inf", "-inf"]}],
        "steps": 3,
        "none": None,
        "on": True,
    }
    assert float("-inf") == float(json.loads(text)["loss"][2]["inner"][1])
