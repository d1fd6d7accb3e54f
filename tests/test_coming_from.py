"""The page for people who come from elsewhere: our side runs, and theirs is valid Python."""

import re
from pathlib import Path

import pytest
from markdown_blocks import blocks, run_python

PAGE = Path(__file__).resolve().parents[1] / "docs" / "coming_from.md"
TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS = re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]
TITLES = [section.partition("\n")[0] for section in SECTIONS]


def test_everyone_we_take_in_has_a_section():
    assert TITLES == [
        "The PyImageSearch tutorial",
        "keras-lr-finder",
        "ktrain",
        "fastai",
        "pytorch-lr-finder",
        "Lightning",
        "TensorFlow Addons",
    ]


@pytest.mark.parametrize("section", SECTIONS, ids=TITLES)
def test_section_has_their_call_our_call_and_what_differs(section):
    assert re.findall(r"```(\w*)\n.*?```", section, flags=re.DOTALL) == ["py", "python"]
    compile(blocks(section, "py")[0], "theirs", "exec")
    assert re.search(r"^- ", section, flags=re.MULTILINE)


def test_our_blocks_run_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run_python(TEXT, PAGE.name)
    assert len(names["clr"].history["lr"]) == 8 * 63
    assert 1e-6 < names["suggested"] < 10
    assert [float(names["schedule"](step)) for step in (0, 1000)] == pytest.approx([1e-4] * 2)
    assert list(tmp_path.iterdir()) == []


def test_tutorials_code_differs_in_its_imports_only():
    theirs, ours = (blocks(SECTIONS[0], language)[0].splitlines() for language in ("py", "python"))
    calls = [[line for line in side if line and " import " not in line] for side in (theirs, ours)]
    for call in calls[0]:
        assert any(line.removeprefix("axes = ").replace(", verbose=0", "") == call for line in calls[1]), call
