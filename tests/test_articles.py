"""The articles' scripts: each runs with `--quick`, prints what it saves, and is on a page that is right."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pyimagesearch_lr import Comparison, LRCurve

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts"
DOCS = ROOT / "docs"
PAGE = (DOCS / "articles.md").read_text(encoding="utf-8")
PNG = b"\x89PNG\r\n\x1a\n"
WINE_COLUMNS = (
    "fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides", "free sulfur dioxide",
    "total sulfur dioxide", "density", "pH", "sulphates", "alcohol",
)  # fmt: skip


def run_quickly(name, output, *arguments):
    """What the script prints with `--quick`; it imports the package of this project."""
    command = [sys.executable, SCRIPTS / "articles" / f"{name}.py", "--quick", "--output", output, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"}
    done = subprocess.run(
        command, cwd=output, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def results_of(name, output, figures):
    """The script's JSON, once every one of its figures is a PNG with something drawn in it."""
    for figure in figures:
        content = (output / f"{figure}.png").read_bytes()
        assert content.startswith(PNG)
        assert len(content) > 10_000
    results = json.loads((output / f"{name}.json").read_text(encoding="utf-8"))
    assert results["settings"]["quick"]
    assert {"python", "tensorflow", "keras"} <= set(results["versions"])
    return results


def printed(pattern, text):
    """The numbers in the one line of `text` that `pattern` matches."""
    (line,) = re.findall(pattern, text)
    return [float(number) for number in ([line] if isinstance(line, str) else line)]


def test_article_1_prints_its_range_and_leaves_the_weights_alone(tmp_path):
    text = run_quickly("article_1_callback", tmp_path)
    results = results_of("article_1_callback", tmp_path, ["article_1_callback"])
    assert "the embedded sample of Fashion-MNIST" in text
    low, high = printed(r"good range, here: +(\S+) to (\S+)", text)
    assert [low, high] == pytest.approx([results["base_lr"], results["max_lr"]], rel=0.05)
    assert 1e-7 <= low < high <= 10
    assert results["weights_unchanged"] is True
    assert printed(r"test accuracy after 2 epochs in that range: (\S+)", text)[0] > 0.5


@pytest.mark.parametrize("window", [1, 20, 21])
def test_fastest_fall_is_where_the_figure_has_its_dot(window, monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS / "articles"))
    from article import fastest_fall

    lrs = np.geomspace(1e-5, 1.0, 301)
    noise = np.random.default_rng(0).normal(scale=0.05, size=len(lrs))
    losses = np.interp(np.log10(lrs), [-5, -3.5, -2, -1, 0], [2.3, 2.2, 0.7, 0.5, 3.0]) + noise
    curve = LRCurve(lrs, losses, np.full(len(lrs), 2.3), "end_lr")  # a running average that knows nothing
    *_, dot = Comparison({"SGD": curve}).plot_rate_of_change(window).lines
    fastest = fastest_fall(curve, window)
    assert fastest == dot.get_xdata()
    assert 10**-3.5 < fastest < 1e-2


@pytest.mark.slow
def test_article_2_compares_the_optimizers_in_both_ranges(tmp_path):
    text = run_quickly("article_2_compare_optimizers", tmp_path)
    figures = ["article_2_from_1e-04", "article_2_from_1e-07"]
    results = results_of("article_2_compare_optimizers", tmp_path, figures)
    for label in ("SGD", "Adam"):
        exponents = [float(each) for each in re.findall(rf"{label}: falls fastest at 10\^(\S+)", text)]
        saved = [np.log10(sweep[label]["steepest_lr"]) for sweep in results["sweeps"].values()]
        np.testing.assert_allclose(exponents, saved, atol=0.006)
        in_the_tables = [float(each) for each in re.findall(rf"^{label} +\S+ +\S+ +(\S+)", text, flags=re.M)]
        saved = [sweep[label]["best_loss"] for sweep in results["sweeps"].values()]
        np.testing.assert_allclose(in_the_tables, saved, rtol=1e-3)
    for sweep in results["sweeps"].values():
        assert sweep["Adam"]["best_loss"] < sweep["SGD"]["best_loss"]


@pytest.mark.slow
def test_article_3_searches_before_and_later_in_training(tmp_path):
    text = run_quickly("article_3_rate_of_change", tmp_path)
    figures = ["article_3_rate_of_change", "article_3_later_in_training"]
    results = results_of("article_3_rate_of_change", tmp_path, figures)
    assert list(results["searches"]) == ["before training", "after epoch 1", "after epoch 2"]
    for when, found in results["searches"].items():
        fastest, largest = printed(rf"{when}: falls fastest at (\S+); the largest .* is (\S+)", text)
        assert fastest == pytest.approx(found["steepest_lr"], rel=0.05)
        assert largest == pytest.approx(found["largest_lr"], rel=0.05)
    first = results["searches"]["before training"]
    assert first["base_lr"] < first["max_lr"] < first["largest_lr"]


@pytest.mark.slow
def test_article_4_runs_both_phases_and_prints_the_tutorials_numbers_beside_them(tmp_path):
    text = run_quickly("article_4_tutorial", tmp_path)
    for figure in ("lrfind_plot", "training_plot", "clr_plot"):
        assert (tmp_path / "quick" / f"{figure}.png").read_bytes().startswith(PNG)
    training = json.loads((tmp_path / "quick" / "training.json").read_text(encoding="utf-8"))
    tutorial, here = printed(r"final test accuracy +(\S+) +(\S+)", text)
    assert (tutorial, here) == (0.9452, pytest.approx(training["test_accuracy"], abs=1e-4))
    assert printed(r"epochs +(\d+) +(\d+)", text) == [48, len(training["history"]["loss"])]


@pytest.fixture
def wine_table(tmp_path):
    """The real table if WINE_QUALITY_CSV names it, else one of its columns, with missing values in it."""
    if "WINE_QUALITY_CSV" in os.environ:
        return Path(os.environ["WINE_QUALITY_CSV"])
    rng = np.random.default_rng(0)
    values = rng.normal(size=(1500, len(WINE_COLUMNS))).round(3)
    quality = np.clip(np.rint(6 + values[:, :3].sum(axis=1)), 3, 9).astype(int)
    rows = [["white" if v[0] > 0 else "red", *v, q] for v, q in zip(values.tolist(), quality, strict=True)]
    rows[7][3] = ""
    path = tmp_path / "wine.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("type", *WINE_COLUMNS, "quality"), *rows])
    return path


@pytest.mark.slow
def test_article_5_sets_the_default_rate_against_the_found_ones_seed_by_seed(tmp_path, wine_table):
    text = run_quickly("article_5_wine_quality", tmp_path, "--csv", wine_table)
    results = results_of("article_5_wine_quality", tmp_path, ["article_5_sweep", "article_5_confusion"])
    rows = sum(1 for line in wine_table.read_text(encoding="utf-8").splitlines() if ",," not in line) - 1
    assert printed(r"data: (\d+) wines", text) == [rows] == [results["wines"]]
    assert printed(r"lowest steady loss \S+ at (\S+);", text) == [
        pytest.approx(results["sweep_lr"], abs=1e-4)
    ]
    default = np.array(results["rates"]["default"]["accuracies"])
    assert len(default) == len(results["settings"]["seeds"]) == 2
    for name in ("article", "sweep", "range test"):
        mean, spread = printed(rf"{name} +lr .* over the default by (\S+) \+- (\S+) points", text)
        differences = 100 * (np.array(results["rates"][name]["accuracies"]) - default)
        assert mean == pytest.approx(differences.mean(), abs=0.01)
        assert spread == pytest.approx(abs(differences[1] - differences[0]) / 2**0.5, abs=0.01)
    assert results["rates"]["article"]["lr"] == 0.007
    assert default.min() > 0.5


def test_article_5_without_its_table_says_what_is_missing(tmp_path):
    command = [sys.executable, SCRIPTS / "articles" / "article_5_wine_quality.py", "--quick"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 2
    assert "--csv" in done.stderr


def test_page_shows_every_figure_of_the_full_runs():
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", PAGE)
    assert all((DOCS / path).read_bytes().startswith(PNG) for path in shown)
    figures = {path.name for path in (ROOT / "docs/results/articles").glob("*.png")}
    assert figures
    assert figures <= {Path(path).name for path in shown}


def test_index_names_every_script_below_its_folder():
    top, *folders = re.split(r"^## (\w+)/$", (SCRIPTS / "README.md").read_text(encoding="utf-8"), flags=re.M)
    named = {"scripts": top, **dict(zip(folders[::2], folders[1::2], strict=True))}
    for folder, text in named.items():
        scripts = (SCRIPTS if folder == "scripts" else SCRIPTS / folder).glob("*.py")
        assert sorted(re.findall(r"^\| `(\w+\.py)` \|", text, flags=re.M)) == sorted(
            script.name for script in scripts
        )


def test_committed_results_are_those_of_full_runs():
    documents = sorted((ROOT / "docs/results/articles").glob("*.json"))
    assert [path.stem[:9] for path in documents] == ["article_1", "article_2", "article_3", "article_5"]
    for path in documents:
        assert json.loads(path.read_text(encoding="utf-8"))["settings"]["quick"] is False


def test_page_changes_with_the_results(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS / "make"))
    import update_pages

    assert update_pages.filled(PAGE, update_pages.articles(ROOT)) == PAGE
    for name in ("docs/results/articles", "docs/results/tutorial"):
        for path in (ROOT / name).glob("*.json"):
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    wine = tmp_path / "docs/results/articles/article_5_wine_quality.json"
    document = json.loads(wine.read_text(encoding="utf-8"))
    document["rates"]["article"]["mean"] = 0.1234
    wine.write_text(json.dumps(document), encoding="utf-8")
    changed = update_pages.filled(PAGE, update_pages.articles(tmp_path))
    assert changed != PAGE
    assert "12.34" in changed
