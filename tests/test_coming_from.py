"""The page for people who come from elsewhere: what they write, and what they write here."""

import re
from pathlib import Path

import pytest
from markdown_blocks import all_blocks

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
    theirs, ours = all_blocks(section)
    assert (theirs.language, ours.language) == ("python", "python")
    assert theirs.reason.startswith("theirs, ")
    assert ours.reason is None
    assert re.search(r"^- ", section, flags=re.MULTILINE)


def test_tutorials_code_differs_in_its_imports_only():
    theirs, ours = (block.code.splitlines() for block in all_blocks(SECTIONS[0]))
    calls = [[line for line in side if line and " import " not in line] for side in (theirs, ours)]
    for call in calls[0]:
        assert any(line.removeprefix("axes = ").replace(", verbose=0", "") == call for line in calls[1]), call
