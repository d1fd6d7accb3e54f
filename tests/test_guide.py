"""The guide: its Python runs, its answers are those of its figures, its errors are those of the package."""

import contextlib
import io
import json
import re
import warnings
from pathlib import Path

import pytest
from markdown_blocks import blocks

DOCS = Path(__file__).resolve().parents[1] / "docs"
NAMES = ("getting_started", "reading_a_curve", "cycles", "own_training_loop", "how_it_works")
PAGES = {name: (DOCS / f"{name}.md").read_text(encoding="utf-8") for name in NAMES}
MOST_BYTES = 80_000


@pytest.mark.parametrize("name", NAMES)
def test_python_runs_and_says_what_stands_below_it(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": name}
    for block, below in re.findall(
        r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", PAGES[name], flags=re.DOTALL
    ):
        said, warned = output_of(block, names, name)
        if below:
            assert without_numbers(said) == without_numbers(below), block
        else:
            assert not warned, block


def output_of(block, names, name):
    """What a block prints and warns of, as they come, and the warnings alone."""
    warned: list = []

    def show(message, category, *_):
        warned.append(message)
        print(f"{category.__name__}: {message}")

    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()) as printed:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", message="__array__ implementation")
        warnings.showwarning = show
        exec(compile(block, f"{name}.md", "exec"), names)
    return printed.getvalue(), warned


def without_numbers(text):
    return " ".join(re.sub(r"[\d.]*\d(e[+-]?\d+)?", "#", text).split())


def test_running_means_move_a_curve_to_higher_rates_as_the_page_says():
    names: dict = {"__name__": "how_it_works"}
    exec(blocks(PAGES["how_it_works"], "python")[0], names)
    assert names["lowest"]["Naive"] > 3 * names["lowest"]["OneStepEach"]


@pytest.mark.parametrize("name", NAMES)
def test_python_that_is_not_run_is_marked_as_not_ours(name):
    unmarked = re.sub(r"<!-- not ours -->\n```py\n.*?```", "", PAGES[name], flags=re.DOTALL)
    assert set(re.findall(r"^```(\w*)\n.*?```", unmarked, flags=re.DOTALL | re.M)) <= {
        "python",
        "bash",
        "text",
        "console",
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
