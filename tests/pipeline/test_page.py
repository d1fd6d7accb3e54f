"""The page of a run: every part, the right numbers, nothing from elsewhere; opened in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot as plt

from pyimagesearch_lr import LRCurve, plots
from pyimagesearch_lr.pipeline import page, report
from pyimagesearch_lr.pipeline.results import Finding, Run, Training

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PARTS = ["bounds", "training", "report", "confusion", "settings", "versions", "times"]
CLASSES = ["top", "<b>bag</b>", "ankle boot"]
LRS = np.geomspace(1e-6, 1, 200)
LOSSES = 2.3 - 2 / (1 + (1e-3 / LRS) ** 2) + (LRS / 0.1) ** 2
LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 2, 1, 1, 2])
HISTORY = {
    "loss": [2.0, 1.25],
    "accuracy": [0.25, 0.5],
    "val_loss": [1.5, 1.125],
    "val_accuracy": [0.5, 0.875],
}


class Page(HTMLParser):
    """What a page holds: ids, headings, table rows, images, links, and the text of all of it."""

    VOID = ("meta", "link", "img", "br")

    def __init__(self, html: str):
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.images: list[dict[str, Any]] = []
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.urls: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.add(tag)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.urls += [value for name, value in attrs if name in ("src", "href", "srcset", "data")]
        self.images += [attributes] if tag == "img" else []
        self.rows += [[]] if tag == "tr" else []
        if tag in ("th", "td"):
            self.rows[-1].append("")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] in ("th", "td"):
            self.rows[-1][-1] += data


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "output"


def settings(**changes: Any) -> dict[str, Any]:
    paths = {f"{name}_path": f"output/{name}.png" for name in ("lrfind_plot", "training_plot", "clr_plot")}
    rates = {"min_lr": 1e-5, "max_lr": 0.01, "step_size": 1, "clr_method": "triangular"}
    return {"classes": CLASSES, **rates, **paths, **changes}


def record(**changes: Any) -> Run:
    return Run(
        settings(**changes), {"python": "3.99.1", "keras": "3.77.0"}, 3725.4, "2026-11-22T04:31:00+00:00"
    )


def save_finding(folder: Path, losses: np.ndarray = LOSSES, **changes: Any) -> Finding:
    """Leave in `folder` what a run leaves that finds, and return it."""
    run = record(**changes)
    curve = LRCurve(LRS, losses, losses, "diverged", metadata=asdict(run))
    curve.save(folder / "lrfind.json")
    return Finding.of(run, curve, report.save_figure(folder / "lrfind_plot.png", curve.plot().figure))


def save_training(folder: Path, **changes: Any) -> Training:
    """Leave in `folder` what a run leaves that trains, and return it."""
    axes = plots.lr_against_step([1e-5, 0.01], base_lr=1e-5, max_lr=0.01)
    training = Training(
        run=record(**changes),
        description="2 epochs, triangular learning rate between 1e-05 and 0.01",
        history=HISTORY,
        evaluated_on="test",
        accuracy=0.8765,
        confusion_matrix=report.confusion_matrix(LABELS, PREDICTED, len(CLASSES)),
        plot=report.save_figure(folder / "training_plot.png", plots.training_history(HISTORY)),
        clr_plot=report.save_figure(folder / "clr_plot.png", axes.figure),
    )
    training.save(folder)
    return training


def page_of(folder: Path) -> Page:
    return Page(page.write(folder).read_text(encoding="utf-8"))


def test_page_of_both_phases_has_every_part(folder):
    save_finding(folder)
    save_training(folder)
    page = page_of(folder)
    assert page.ids == PARTS
    assert len(page.images) == 4
    assert all(image["src"].startswith("data:image/png;base64,") and image["alt"] for image in page.images)
    for words in ("87.65%", "1 h 2 min", "2 epochs, triangular learning rate between 1e-05 and 0.01"):
        assert words in page.text
    assert ["after the last epoch", "training", "test"] in page.rows
    assert ["loss", "1.2500", "1.1250"] in page.rows
    assert ["accuracy", "0.5000", "0.8750"] in page.rows
    assert ["python", "3.99.1", "3.99.1"] in page.rows
    assert ["finished", *["2026-11-22T04:31:00+00:00"] * 2] in page.rows
    assert ["STEP_SIZE", "1", "1"] in page.rows


def test_bounds_are_the_curves_own_with_the_reason(folder):
    save_finding(folder)
    suggestion = LRCurve.load(folder / "lrfind.json").suggest()
    text = page_of(folder).text
    assert f"MIN_LR = {suggestion.base_lr:.1e}\nMAX_LR = {suggestion.max_lr:.1e}" in text
    assert suggestion.reason in text
    assert "200 steps from 1.0e-06 to 1.0e+00; the loss diverged." in text


def test_curve_without_bounds_says_why(folder):
    save_finding(folder, np.full(200, 2.3))
    page = page_of(folder)
    assert "This curve supports no bounds: the loss is flat" in page.text
    assert "MIN_LR =" not in page.text


def test_sweep_alone_makes_a_page_of_what_there_is(folder):
    save_finding(folder)
    page = page_of(folder)
    assert page.ids == ["bounds", "settings", "versions", "times"]
    assert len(page.images) == 1
    assert ["", "finding"] in page.rows
    assert "test accuracy" not in page.text


def test_training_alone_makes_a_page_of_what_there_is(folder):
    save_training(folder)
    page = page_of(folder)
    assert page.ids == PARTS[1:]
    assert len(page.images) == 3
    assert "suggested" not in page.text


def test_settings_of_both_phases_stand_side_by_side(folder):
    save_finding(folder, num_epochs=48)
    save_training(folder, num_epochs=16, data_dir=None)
    rows = page_of(folder).rows
    assert ["NUM_EPOCHS", "48", "16"] in rows
    assert ["CLASSES", *["top, <b>bag</b>, ankle boot"] * 2] in rows


# top: 2 of 2 predictions right, 2 of 3 found; bag: 2 of 2 and 2 of 2; ankle boot: 1 of 2 and 1 of 1.
def test_report_is_a_table_with_the_numbers_worked_out_by_hand(folder):
    save_training(folder)
    rows = page_of(folder).rows
    first = rows.index(["class", "precision", "recall", "f1-score", "support"])
    assert rows[first + 1 : first + 6] == [
        ["top", "1.0000", "0.6667", "0.8000", "3"],
        ["<b>bag</b>", "1.0000", "1.0000", "1.0000", "2"],
        ["ankle boot", "0.5000", "1.0000", "0.6667", "1"],
        ["accuracy", "", "", "0.8333", "6"],
        ["macro avg", "0.8333", "0.8889", "0.8222", "6"],
    ]


def test_results_handed_on_make_the_same_page_as_those_read_from_the_folder(folder):
    finding, training = save_finding(folder), save_training(folder)
    read = page.write(folder).read_text(encoding="utf-8")
    assert page.write(folder, finding, training).read_text(encoding="utf-8") == read


@pytest.mark.parametrize("phase", ["finding", "training"])
def test_results_handed_on_come_before_files_and_the_other_phase_is_read(folder, phase):
    results = {"finding": save_finding(folder), "training": save_training(folder)}
    run = record()
    handed = replace(results[phase], run=replace(run, versions={**run.versions, "keras": "9.9"}))
    rows = Page(page.write(folder, **{phase: handed}).read_text(encoding="utf-8")).rows
    assert ["keras", *(("9.9", "3.77.0") if phase == "finding" else ("3.77.0", "9.9"))] in rows


@pytest.mark.parametrize("phase", ["finding", "training"])
@pytest.mark.parametrize("name", ["data", "images", "model", "recipe"])
def test_phase_of_other_images_or_another_network_is_left_out(folder, phase, name):
    changes = {each: {name: "now" if each == phase else "then"} for each in ("finding", "training")}
    results = {
        "finding": save_finding(folder, **changes["finding"]),
        "training": save_training(folder, **changes["training"]),
    }
    made = Page(page.write(folder, **{phase: results[phase]}).read_text(encoding="utf-8"))
    parts = {"finding": ["bounds"], "training": ["training", "report", "confusion"]}[phase]
    assert made.ids == [*parts, "settings", "versions", "times"]


def test_results_handed_on_need_no_files(tmp_path):
    finding, training = save_finding(tmp_path / "a"), save_training(tmp_path / "a")
    shutil.rmtree(tmp_path / "a")
    page_alone = Page(page.write(tmp_path / "b", finding, training).read_text(encoding="utf-8"))
    assert page_alone.ids == PARTS
    assert len(page_alone.images) == 4


def test_whatever_the_settings_hold_is_text(folder):
    evil = "</td><script>alert('$title')</script>&amp;"
    save_finding(folder, data_dir=evil)
    training = save_training(folder, clr_method=evil)
    replace(training, description=evil).save(folder)
    page = page_of(folder)
    assert "script" not in page.tags
    assert ["DATA_DIR", evil, ""] in page.rows
    assert ["CLR_METHOD", "triangular", evil] in page.rows
    assert f"{evil}." in page.text


def test_page_needs_nothing_from_elsewhere(folder):
    save_finding(folder)
    save_training(folder)
    page = page_of(folder)
    assert page.urls
    assert all(url.startswith("data:") for url in page.urls)
    assert "script" not in page.tags
    assert "@import" not in page.text
    assert "url(" not in page.text


def test_plot_that_no_browser_shows_is_named(folder):
    save_finding(folder, lrfind_plot_path="plots/sweep.pdf")
    save_training(folder, training_plot_path="output/gone.png")
    page = page_of(folder)
    assert "The plot is the file plots/sweep.pdf." in page.text
    assert "The plot is the file output/gone.png." in page.text
    assert len(page.images) == 2


def test_plots_of_other_formats_are_embedded_as_what_they_are(folder):
    save_finding(folder, lrfind_plot_path="output/sweep.SVG")
    (folder / "sweep.SVG").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    (image,) = page_of(folder).images
    assert image["src"].startswith("data:image/svg+xml;base64,")


@pytest.mark.parametrize("name", ["confusion_matrix", "settings", "versions"])
def test_training_that_lacks_a_part_is_left_out(folder, name):
    save_finding(folder)
    save_training(folder)
    document = json.loads((folder / "training.json").read_text())
    del document[name]
    report.save_json(folder / "training.json", document)
    assert page_of(folder).ids == ["bounds", "settings", "versions", "times"]


def test_run_that_does_not_say_when_it_finished_is_shown(folder):
    save_training(folder)
    document = json.loads((folder / "training.json").read_text())
    del document["finished"]
    report.save_json(folder / "training.json", document)
    assert ["finished", "not recorded"] in page_of(folder).rows


def test_training_of_version_0_1_has_its_report_all_the_same(folder):
    save_training(folder)
    expected = page_of(folder).rows
    document = json.loads((folder / "training.json").read_text())
    assert document.pop("classification_report")
    report.save_json(folder / "training.json", document)
    assert page_of(folder).rows == expected


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"settings": {}, "history": {}}', "3"])
@pytest.mark.parametrize("name", ["lrfind.json", "training.json"])
def test_file_that_is_not_of_a_run_is_left_out(folder, name, text):
    save_finding(folder)
    save_training(folder)
    (folder / name).write_text(text)
    page = page_of(folder)
    assert ("bounds" in page.ids, "training" in page.ids) == (name != "lrfind.json", name != "training.json")


def test_curve_that_somebody_saved_beside_the_results_is_left_out(folder):
    save_training(folder)
    LRCurve(LRS, LOSSES, LOSSES, "diverged").save(folder / "lrfind.json")
    assert "bounds" not in page_of(folder).ids


def test_loss_that_is_no_longer_finite_is_shown(folder):
    save_training(folder)
    document = json.loads((folder / "training.json").read_text())
    document["history"]["loss"] = [1.0, float("nan")]
    report.save_json(folder / "training.json", document)
    assert ["loss", "nan", "1.1250"] in page_of(folder).rows


def test_no_figure_is_left_open(folder):
    save_finding(folder)
    save_training(folder)
    page.write(folder)
    assert plt.get_fignums() == []


# Chromium --------------------------------------------------------------------------------------------------

# Put into a copy of the page: what only a browser knows goes into the title, which --dump-dom prints.
PROBE = """<script>
addEventListener("load", () => { document.title = JSON.stringify({
  images: [...document.images].map(image => image.naturalWidth),
  parts: [...document.querySelectorAll("section")].filter(each => each.offsetHeight > 40).map(({id}) => id),
  tallest: Math.max(...[...document.querySelectorAll("#report td")].map(cell => cell.offsetHeight)),
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  dark: matchMedia("(prefers-color-scheme: dark)").matches,
  paper: getComputedStyle(document.body).backgroundColor,
})});
</script>"""


def browse(path: Path, *options: str) -> tuple[str, list[str]]:
    """The document as Chromium shows it, and what stands in its console."""
    profile = f"--user-data-dir={path.parent / 'chromium'}"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", profile, *options]
    done = subprocess.run(
        [CHROMIUM, *flags, "--dump-dom", path.resolve().as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, re.findall(r"CONSOLE.*", done.stderr)


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
class TestInChromium:
    def probed(self, path: Path, *options: str) -> tuple[dict[str, Any], list[str]]:
        copy = path.with_name("probed.html")
        copy.write_text(path.read_text(encoding="utf-8").replace("</head>", PROBE + "</head>"))
        document, console = browse(copy, *options)
        return json.loads(re.search(r"<title>(.*?)</title>", document)[1]), console

    def test_console_error_would_be_seen(self, tmp_path):
        page = tmp_path / "broken.html"
        page.write_text("<script>console.error('boom')</script>")
        _, console = browse(page)
        assert "boom" in console[0]

    @pytest.mark.parametrize("window", ["1280,900", "390,900"])
    def test_every_part_and_image_is_shown_and_nothing_goes_over_the_edge(self, folder, window):
        save_finding(folder)
        save_training(folder)
        seen, console = self.probed(page.write(folder), f"--window-size={window}")
        assert console == []
        assert seen["parts"] == PARTS
        assert len(seen["images"]) == 4
        assert min(seen["images"]) > 500
        assert seen["overflow"] <= 0
        assert seen["tallest"] < 45  # no number is broken in two

    def test_dark_mode_is_dark(self, folder):
        save_finding(folder)
        written = page.write(folder)
        light, _ = self.probed(written)
        dark, console = self.probed(written, "--blink-settings=preferredColorScheme=0")
        assert (light["dark"], dark["dark"], console) == (False, True, [])
        assert light["paper"] == "rgb(255, 255, 255)"
        assert max(map(int, re.findall(r"\d+", dark["paper"]))) < 60
