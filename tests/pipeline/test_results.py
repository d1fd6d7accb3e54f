"""The results of the phases: read from a folder they are what was handed on."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from test_page import HISTORY, LRS, record, save_finding, save_training

from pyimagesearch_lr import LRCurve
from pyimagesearch_lr.curve import STOP_REASONS
from pyimagesearch_lr.pipeline import report
from pyimagesearch_lr.pipeline.results import Finding, Run, Training, in_settings
from pyimagesearch_lr.suggest import NoSuggestion, Probe, suggest


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "output"


def test_training_is_read_as_it_was_saved(folder):
    saved = save_training(folder)
    read = Training.load(folder)
    for plot in ("plot", "clr_plot"):
        assert getattr(read, plot).content == getattr(saved, plot).content
    assert replace(read, plot=saved.plot, clr_plot=saved.clr_plot) == saved


def test_loss_that_is_no_longer_finite_is_read_as_a_number(folder):
    diverged = replace(save_training(folder), history={**HISTORY, "loss": [float("inf"), float("nan")]})
    diverged.save(folder)
    assert '"nan"' in (folder / "training.json").read_text()
    np.testing.assert_array_equal(Training.load(folder).history["loss"], [np.inf, np.nan])


@pytest.mark.parametrize(
    ("evaluated_on", "key"), [("test", "test_accuracy"), ("held-out", "held_out_accuracy")]
)
def test_accuracy_is_kept_under_the_name_of_the_images(folder, evaluated_on, key):
    replace(save_training(folder), evaluated_on=evaluated_on).save(folder)
    document = json.loads((folder / "training.json").read_text())
    assert [name for name in document if name.endswith("accuracy")] == [key]
    assert Training.load(folder).evaluated_on == evaluated_on


def test_rows_of_the_report_are_kept_as_data(folder):
    save_training(folder)
    first, *_ = json.loads((folder / "training.json").read_text())["classification_report"]
    # Three tops: two are found, and nothing else is taken for one.
    expected = {"name": "top", "precision": 1.0, "recall": 2 / 3, "f1-score": 0.8, "support": 3}
    assert first == pytest.approx(expected)


def test_finding_is_read_as_it_was_saved(folder):
    saved, read = save_finding(folder), Finding.load(folder)
    assert (read.run, read.suggestion, read.reason) == (saved.run, saved.suggestion, saved.reason)
    assert read.plot.content == saved.plot.content
    np.testing.assert_array_equal(read.curve.raw_losses, saved.curve.raw_losses)


def test_curve_without_an_answer_is_a_finding_that_says_why():
    flat = LRCurve(LRS, np.full(200, 2.3), np.full(200, 2.3), "end_lr")
    finding = Finding.of(record(), flat, report.Picture("plot.png", None))
    assert finding.suggestion is None
    assert finding.reason.startswith("the loss is flat")


@pytest.mark.parametrize("stop_reason", STOP_REASONS)
def test_every_way_a_sweep_ends_has_words_for_the_user(stop_reason):
    curve = LRCurve([1e-3, 1e-2], [2.0, 1.0], [2.0, 1.5], stop_reason)
    ending = Finding.of(record(), curve, report.Picture("plot.png", None)).ending
    assert "_" not in ending
    assert " " in ending


def test_record_of_a_run_has_the_time_with_its_zone():
    run = Run.finished_now({"seed": 1}, 1.26)
    assert (run.settings, run.versions, run.seconds) == ({"seed": 1}, report.versions(), 1.3)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(run.finished)) < timedelta(minutes=1)
    assert Run.read(asdict(run)) == run


REFUSED = {
    "flat": np.full(200, 2.3),
    "rises": np.linspace(2.3, 20.0, 200),
    "never turns": np.linspace(2.3, 0.3, 200),
    "few": np.array([2.3, 9.0, np.inf]),
}


@pytest.mark.parametrize("losses", REFUSED.values(), ids=REFUSED)
def test_refusal_names_settings_of_config_and_no_argument_of_the_library(losses):
    with pytest.raises(NoSuggestion) as refusal:
        suggest(LRS[: len(losses)], losses, how_to_try="ring the bell.")
    said = in_settings(str(refusal.value))
    assert "`" in str(refusal.value)
    assert "`" not in said
    assert "LRFIND_" in said


@pytest.mark.parametrize("loss", [2.4, np.inf])
def test_refusal_of_what_was_tried_names_settings_too(loss):
    probes = (Probe(0.1, 1.0, 100, loss, first_loss=2.3),)
    with pytest.raises(NoSuggestion) as refusal:
        LRCurve(LRS, LRS, LRS, "end_lr", probes=probes).suggest()
    assert "LRFIND_START_LR" in in_settings(str(refusal.value))
    assert "`" not in in_settings(str(refusal.value))
