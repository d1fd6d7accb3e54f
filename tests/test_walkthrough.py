"""The notebook: its code runs from top to bottom, and it is committed as it was run."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

NOTEBOOK = Path(__file__).resolve().parents[1] / "docs" / "walkthrough.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]
PROSE = "\n\n".join("".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "markdown")


def run(cell: dict[str, Any], number: int, namespace: dict[str, Any]) -> Any:
    """Run a cell as a notebook does; return the value of the expression at its end, if it ends with one."""
    tree = ast.parse("".join(cell["source"]))
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, f"{NOTEBOOK.name}, cell {number}", "exec"), namespace)
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), f"{NOTEBOOK.name}, cell {number}", "eval"), namespace)


@pytest.mark.slow
def test_code_runs_from_top_to_bottom_and_teaches_what_the_text_says(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise AssertionError("a notebook needs no show()")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", fail)
    names: dict[str, Any] = {}
    values = [run(cell, number, names) for number, cell in enumerate(CODE, 1)]
    assert any(value is names["curve"] for value in values)
    assert values.count(True) == 1  # the model is as it was before the sweep
    bounds, accuracies = names["bounds"], names["accuracies"]
    assert 1e-5 < bounds.base_lr < bounds.max_lr < 1.0
    found, flat, exploding, _ = accuracies.values()
    assert found > 0.6
    assert found > flat + 0.2
    assert found > exploding + 0.2
    np.testing.assert_allclose(max(names["clr"].history["lr"]), bounds.max_lr, rtol=0.01)
    assert list(tmp_path.iterdir()) == []


def test_it_is_committed_as_it_was_run_without_an_error():
    assert [cell["execution_count"] for cell in CODE] == list(range(1, len(CODE) + 1))
    kinds = [output["output_type"] for cell in CODE for output in cell["outputs"]]
    assert set(kinds) <= {"execute_result", "display_data", "stream"}
    assert not re.search(
        r"Warning|Traceback|/tmp|/home|/root", json.dumps([cell["outputs"] for cell in CODE])
    )


def test_curve_is_shown_by_itself_and_every_plot_once():
    (curve,) = [cell for cell in CODE if "".join(cell["source"]).rstrip().endswith("\ncurve")]
    (shown,) = curve["outputs"]
    html = "".join(shown["data"]["text/html"])
    assert 'src="data:image/png;base64,' in html
    assert re.search(r"base_lr = .* rates tried in .* steps of short training", html)
    plots = [cell for cell in CODE if "plt.subplots" in "".join(cell["source"])]
    for cell in plots:
        assert [output["output_type"] for output in cell["outputs"]] == ["display_data"]


def test_cells_are_short_and_the_file_is_small():
    assert max(len(cell["source"]) for cell in CODE) <= 20
    assert all(len(line.rstrip("\n")) <= 110 for cell in CODE for line in cell["source"])
    assert NOTEBOOK.stat().st_size < 400_000


def test_every_section_has_words_before_its_code():
    kinds = [cell["cell_type"] for cell in CELLS]
    assert kinds[0] == kinds[-1] == "markdown"
    assert len(re.findall(r"^## ", PROSE, flags=re.MULTILINE)) >= 5


def test_links_lead_to_files_beside_it():
    links = re.findall(r"\]\(([^)]+)\)", PROSE)
    assert links
    for link in links:
        assert (NOTEBOOK.parent / link).exists(), link
