"""The guide: its Python runs, its answers are those of its figures, its errors are those of the package."""

import json
import re
from pathlib import Path

import pytest
from markdown_blocks import blocks, run_python

DOCS = Path(__file__).resolve().parents[1] / "docs"
NAMES = ("reading_a_curve",)
PAGES = {name: (DOCS / f"{name}.md").read_text(encoding="utf-8") for name in NAMES}
MOST_BYTES = 80_000


@pytest.mark.parametrize("name", NAMES)
def test_python_blocks_run_one_after_the_other(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_python(PAGES[name], f"{name}.md")


@pytest.mark.parametrize("name", NAMES)
def test_python_that_is_not_run_is_marked_as_not_ours(name):
    unmarked = re.sub(r"<!-- not ours -->\n```py\n.*?```", "", PAGES[name], flags=re.DOTALL)
    assert set(re.findall(r"^```(\w*)\n.*?```", unmarked, flags=re.DOTALL | re.M)) <= {
        "python",
        "bash",
        "text",
    }
    assert all(compile(block, name, "exec") for block in blocks(PAGES[name], "py"))


def test_figures_are_small_and_each_is_shown():
    shown = {figure for page in PAGES.values() for figure in re.findall(r"\]\(figures/(.*?)\)", page)}
    drawn = {path.name: path.stat().st_size for path in (DOCS / "figures").glob("*.png")}
    assert shown == set(drawn)
    assert max(drawn.values()) < MOST_BYTES


def test_answers_on_the_page_are_those_of_the_figures():
    answers = json.loads((DOCS / "figures/answers.json").read_text(encoding="utf-8"))
    page = PAGES["reading_a_curve"]
    for name, answer in answers.items():
        shown = re.search(rf"<!-- {name}:begin -->\n(.*?)\n<!-- {name}:end -->", page, flags=re.DOTALL)
        assert shown is not None, name
        assert shown[1].removeprefix("> ") == answer
