"""What the repository keeps for readers: runs leave it clean, pages run, links lead somewhere."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from markdown_blocks import all_blocks, anchors, blocks, links, run_python
from test_guide import NAMES as RUN_BY_TEST_GUIDE

import pyimagesearch_lr

ROOT = Path(__file__).resolve().parents[1]
READ = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKED = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), ROOT / "scripts/README.md"]
MADE = {"changes.md": "CHANGELOG.md", "walkthrough.md": "docs/walkthrough.ipynb"}


def git(*arguments: str) -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git clone")
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


# A run leaves a clone clean --------------------------------------------------------------------------------

WRITTEN = [
    "lrfind.json", "lrfind_plot.png", "report.html", "report.txt", "history.csv", "training.json",
    "training_plot.png", "clr_plot.png", "model.keras", "checkpoint.npz", "checkpoint-previous.npz",
    ".running", ".checkpoint.npz.tmp", "quick/report.html", "short/training.json",
    "articles/article_1_callback.png",
]  # fmt: skip


def test_one_file_of_the_folder_that_runs_write_to_is_tracked():
    assert git("ls-files", "output") == ["output/README.md"]


def test_what_runs_write_is_ignored():
    written = [f"output/{name}" for name in WRITTEN]
    assert git("check-ignore", "--no-index", *written) == written
    assert git("check-ignore", "--no-index", "output/README.md") == []


def test_report_pages_are_those_of_the_results_that_are_kept():
    check = subprocess.run([sys.executable, "scripts/make/report_pages.py", "--check"], cwd=ROOT, check=False)
    assert check.returncode == 0, "draw them again: python scripts/make/report_pages.py"


# Pages run ------------------------------------------------------------------------------------------------


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", [page for page in READ if page.stem not in RUN_BY_TEST_GUIDE], ids=name_of)
def test_python_of_a_page_runs_block_after_block(page, tmp_path, monkeypatch):
    text = page.read_text(encoding="utf-8")
    if not blocks(text, "python"):
        pytest.skip("the page has no Python of ours")
    monkeypatch.chdir(tmp_path)
    names = run_python(text, page.name)
    if page.name == "coming_from.md":
        assert len(names["clr"].history["lr"]) == 8 * 63
        assert 1e-6 < names["suggested"] < 10
        assert [float(names["schedule"](step)) for step in (0, 1000)] == pytest.approx([1e-4] * 2)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("page", READ, ids=name_of)
def test_every_block_of_a_page_is_valid_code(page):
    for block in all_blocks(page.read_text(encoding="utf-8")):
        assert block.language in ("python", "bash", "yaml", "text", "console"), f"```{block.language}"
        if block.language == "python":
            ast.parse(block.code)
        elif block.language == "bash":
            checked = subprocess.run(
                ["bash", "-n"], input=block.code, capture_output=True, text=True, check=False
            )
            assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("page", READ, ids=name_of)
def test_no_number_of_the_results_breaks_its_paragraph(page):
    """A line that begins with a comment ends the paragraph before it."""
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"^.*\S\n<!-- \w+:begin -->", text, flags=re.MULTILINE)


# Links lead somewhere ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_links_and_anchors_of_a_page_lead_somewhere(page):
    for link in links(page.read_text(encoding="utf-8")):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


# The site ---------------------------------------------------------------------------------------------------


def test_every_page_has_its_place_in_the_site():
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    placed = re.findall(r"^ +- .*: (\w+\.md)$", config, flags=re.MULTILINE)
    assert sorted(placed) == sorted([*MADE, *(page.name for page in (ROOT / "docs").glob("*.md"))])
    assert all((ROOT / source).exists() for source in MADE.values())


def test_api_reference_has_every_public_name():
    text = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    rooms = re.findall(r"^::: pyimagesearch_lr\.(\w+)\.(\w+)$", text, flags=re.MULTILINE)
    assert sorted(name for _, name in rooms) == sorted(pyimagesearch_lr.__all__)
    for room, name in rooms:
        assert getattr(pyimagesearch_lr, name).__module__ == f"pyimagesearch_lr.{room}"


def test_nothing_of_the_site_is_fetched_from_elsewhere():
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "font: false" in config
    assert "http" not in config
    for page in READ:
        images = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
        assert not [image for image in images if "//" in image], page.name


DOCSTRING = """Turns things.

`a = 1`
`b = 2`

Args:
    size: Int, how large
        it is.

Returns:
    The thing: it is
    turned.

Reference: Smith, 2017.

Example:

>>> turn(1)
2

And then this.
"""
EXPECTED = """Turns things.

```python
a = 1
b = 2
```

Args:
    size: Int, how large
        it is.

**Returns:** The thing: it is turned.

**Reference:** Smith, 2017.

**Example:**

```pycon
>>> turn(1)
2
```

And then this."""


def test_docstring_is_read_as_markdown_for_the_site(monkeypatch):
    pytest.importorskip("griffe")
    monkeypatch.syspath_prepend(str(ROOT / "scripts/make"))
    from site_docstrings import markdown

    assert markdown(DOCSTRING).rstrip() == EXPECTED


def test_page_of_the_notebook_has_its_text_code_and_what_cells_showed(monkeypatch):
    pytest.importorskip("mkdocs")
    monkeypatch.syspath_prepend(str(ROOT / "scripts/make"))
    from site_pages import page_of

    image = {"output_type": "display_data", "data": {"image/png": "QUJD\n", "text/plain": "<Figure>"}}
    table = {
        "output_type": "execute_result",
        "data": {"text/html": "<b>1</b>\n\n<i>2</i>", "text/plain": "1"},
    }
    printed = {"output_type": "stream", "text": ["1 < ", "2\n"]}
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "\n", "Words."]},
        {"cell_type": "code", "source": ["a = 1\n", "a"], "outputs": [image, table, printed]},
    ]
    assert page_of({"cells": cells}).split("\n\n") == [
        "# Title",
        "Words.",
        "```python\na = 1\na\n```",
        '<div class="output"><img alt="What the cell draws" src="data:image/png;base64,QUJD"></div>',
        '<div class="output"><b>1</b>\n<i>2</i></div>',
        '<div class="output"><pre>1 &lt; 2</pre></div>',
    ]
