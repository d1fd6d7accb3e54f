"""The two phases through their front door: exit codes, the console, the files; on a tiny network."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from event_files import scalars

from pyimagesearch_lr import pipeline
from pyimagesearch_lr.curve import LRCurve
from pyimagesearch_lr.minigooglenet import MiniGoogLeNet
from pyimagesearch_lr.pipeline import fashion_mnist, image_batches, page, training

ROOT = Path(__file__).resolve().parents[2]
EMBEDDED = fashion_mnist.load_sample()
REAL_LOAD_DATA = fashion_mnist.load_data
REAL_TRAINING_BATCHES = image_batches.training_batches
NUM_TRAIN, NUM_TEST, BATCH = 64, 24, 16
STEPS = NUM_TRAIN // BATCH
NUM_EPOCHS = 4
SWEEP_STEPS = 120

CONFIG = {
    "CLASSES": list(fashion_mnist.CLASS_NAMES),
    "SEED": 42,
    "LRFIND_START_LR": 1e-6,
    "LRFIND_END_LR": 10.0,
    "LRFIND_STEPS": SWEEP_STEPS,
    "LRFIND_VERIFY_STEPS": 0,
    "MIN_LR": 1e-4,
    "MAX_LR": 1e-2,
    "STEP_SIZE": 1,
    "CLR_METHOD": "triangular",
    "NUM_EPOCHS": NUM_EPOCHS,
    "BATCH_SIZE": BATCH,
    "DTYPE_POLICY": "float32",
    "OUTPUT_DIR": "output",
    "LRFIND_PLOT_PATH": "output/lrfind_plot.png",
    "TRAINING_PLOT_PATH": "output/training_plot.png",
    "CLR_PLOT_PATH": "output/clr_plot.png",
    "TENSORBOARD_DIR": None,
}
FLAT = {"LRFIND_START_LR": 1e-12, "LRFIND_END_LR": 1e-11, "LRFIND_STEPS": 40}


@dataclass(frozen=True)
class Run:
    """What a run of the pipeline left behind."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def info(self) -> list[str]:
        return [line.removeprefix("[INFO] ") for line in self.out.splitlines() if line.startswith("[INFO]")]

    @property
    def bounds(self) -> dict[str, float]:
        """The lines to paste into config.py, run as Python."""
        names: dict[str, float] = {}
        exec("\n".join(re.findall(r"^M.*_LR = .*$", self.out, re.MULTILINE)), {}, names)
        return names

    @property
    def files(self) -> list[str]:
        return sorted(os.listdir(self.folder / "output"))

    def json(self, name: str = "training.json") -> dict[str, Any]:
        return json.loads((self.folder / "output" / name).read_text())

    def history(self) -> list[dict[str, float]]:
        with (self.folder / "output" / "history.csv").open(newline="") as file:
            return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def run(folder: Path, *argv: str, **changes: Any) -> Run:
    """Call `main` in `folder` with a config in which `changes` are made."""
    config = SimpleNamespace(**{**CONFIG, **changes})
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = pipeline.main(config, list(argv))
    return Run(code, out.getvalue(), err.getvalue(), folder)


def first_images(num_train: int = NUM_TRAIN, num_test: int = NUM_TEST) -> fashion_mnist.Arrays:
    (x_train, y_train), (x_test, y_test) = EMBEDDED
    return (x_train[:num_train], y_train[:num_train]), (x_test[:num_test], y_test[:num_test])


def tiny_network(width: int, height: int, depth: int, classes: int, dropout: float) -> keras.Model:
    layers = [keras.layers.Flatten(), keras.layers.Dense(classes, activation="softmax", dtype="float32")]
    return keras.Sequential([keras.Input((height, width, depth)), *layers])


@pytest.fixture(scope="module", autouse=True)
def tiny():
    """A few dozen images and a network of one layer in place of the real ones."""
    policy = keras.config.dtype_policy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fashion_mnist, "load_data", lambda data_dir=None: first_images())
        patch.setattr(fashion_mnist, "load_sample", lambda: first_images(640, 50))
        patch.setattr(MiniGoogLeNet, "build", staticmethod(tiny_network))
        yield
    keras.config.set_dtype_policy(policy)


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> Run:
    return run(tmp_path_factory.mktemp("found"), "--lr-find", "1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Run:
    return run(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def auto(tmp_path_factory) -> Run:
    return run(tmp_path_factory.mktemp("auto"), "--auto")


def is_png(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


# Phase 1 ---------------------------------------------------------------------------------------------------


def test_finding_ends_well_with_a_plot_and_a_curve_and_nothing_else(found):
    assert (found.code, found.err) == (0, "")
    assert found.files == ["lrfind.json", "lrfind_plot.png", "report.html"]
    assert is_png(found.folder / "output" / "lrfind_plot.png")


def test_finding_says_what_it_does_in_the_tutorials_order(found):
    expected = [
        r"loading Fashion-MNIST data\.\.\.",
        r"compiling model in float32 \(set by DTYPE_POLICY\), fused batch normalisation, .*\.\.\.",
        r"finding learning rate\.\.\.",
        r"learning rate finder complete: the loss diverged after \d+ steps, at a learning rate of \d.*",
        r"plot: output/lrfind_plot\.png, data: output/lrfind\.json",
        r"all on one page: output/report\.html",
        r"suggested bounds, for config\.py: .+",
    ]
    assert len(found.info) == len(expected)
    for line, pattern in zip(found.info, expected, strict=True):
        assert re.fullmatch(pattern, line), line


def test_curve_is_saved_with_the_settings_and_versions_it_was_made_with(found):
    curve = LRCurve.load(found.folder / "output" / "lrfind.json")
    assert curve.stop_reason == "diverged"
    assert curve.lrs[0] == pytest.approx(1e-6, rel=1e-6)
    assert f"after {len(curve)} steps, at a learning rate of {curve.lrs[-1]:.1e}" in found.out
    settings = curve.metadata["settings"]
    assert {name: settings[name.lower()] for name in CONFIG} == CONFIG
    assert curve.metadata["versions"]["keras"] == keras.__version__
    assert curve.metadata["versions"]["tensorflow"] == tf.__version__
    assert curve.metadata["stop_factor"] == 4
    assert curve.metadata["seconds"] >= 0


def test_sweep_takes_the_steps_that_the_settings_say(found):
    # 64 images in batches of 16 are 4 steps; 30 epochs are 120 steps, 119 ratios from 1e-6 to 10.
    lrs = LRCurve.load(found.folder / "output" / "lrfind.json").lrs
    np.testing.assert_allclose(lrs[1:] / lrs[:-1], 1e7 ** (1 / 119), rtol=1e-4)


def test_suggested_lines_are_python_for_config(found, tmp_path):
    assert found.bounds.keys() == {"MIN_LR", "MAX_LR"}
    assert CONFIG["LRFIND_START_LR"] <= found.bounds["MIN_LR"] < found.bounds["MAX_LR"] < 1.0
    assert run(tmp_path, NUM_EPOCHS=2, **found.bounds).code == 0


def test_suggested_lines_are_the_saved_curves_suggestion_to_two_digits(found):
    suggestion = LRCurve.load(found.folder / "output" / "lrfind.json").suggest()
    assert found.bounds["MIN_LR"] == pytest.approx(suggestion.base_lr, rel=0.05)
    assert found.bounds["MAX_LR"] == pytest.approx(suggestion.max_lr, rel=0.05)
    assert found.info[-1].endswith(suggestion.reason)


def test_bounds_that_were_not_tried_name_the_settings_that_try_them(found):
    curve = LRCurve.load(found.folder / "output" / "lrfind.json")
    assert curve.probes == ()
    how = "It is untried: `--verify`, or LRFIND_VERIFY_STEPS in config.py, has rates around it tried."
    assert found.info[-1].endswith(how)
    assert "verify=" not in found.info[-1]


def test_kept_curve_names_the_optimizer_that_it_is_of(found):
    curve = LRCurve.load(found.folder / "output" / "lrfind.json")
    assert curve.metadata["settings"]["optimizer"] == "SGD"


def test_flat_curve_is_kept_and_no_bounds_are_suggested(tmp_path):
    flat = run(tmp_path, "--lr-find", "1", **FLAT)
    assert (flat.code, flat.bounds) == (0, {})
    assert flat.info[-1].startswith("this curve supports no suggestion: the loss is flat")
    assert LRCurve.load(tmp_path / "output" / "lrfind.json").stop_reason == "end_lr"
    assert is_png(tmp_path / "output" / "lrfind_plot.png")


def test_end_of_the_sweep_is_told_when_nothing_diverged(tmp_path):
    flat = run(tmp_path, "-f", "1", **FLAT)
    why = "it reached the last rate after 40 steps, at a learning rate of 1.0e-11"
    assert f"learning rate finder complete: {why}" in flat.info


# Phase 2 ---------------------------------------------------------------------------------------------------


def test_training_ends_well_with_all_its_files(trained):
    assert (trained.code, trained.err) == (0, "")
    assert trained.files == [
        "clr_plot.png",
        "examples.json",
        "history.csv",
        "model.keras",
        "report.html",
        "report.txt",
        "training.json",
        "training_plot.png",
    ]
    assert is_png(trained.folder / "output" / "training_plot.png")
    assert is_png(trained.folder / "output" / "clr_plot.png")


def test_training_says_what_it_does(trained):
    expected = [
        r"loading Fashion-MNIST data\.\.\.",
        r"compiling model in float32 \(set by DTYPE_POLICY\), fused batch normalisation, .*\.\.\.",
        r"training for 4 epochs, triangular learning rate between 0\.0001 and 0\.01, "
        r"up in 1 epoch and down in 1\.\.\.",
        r"evaluating network\.\.\.",
        r"test accuracy 0\.\d{4} after \d+ min \d+ s; plots, report and model: output",
        r"all on one page: output/report\.html",
    ]
    assert len(trained.info) == len(expected)
    for line, pattern in zip(trained.info, expected, strict=True):
        assert re.fullmatch(pattern, line), line


def test_report_is_printed_and_saved(trained):
    text = (trained.folder / "output" / "report.txt").read_text()
    assert text in trained.out
    for name in fashion_mnist.CLASS_NAMES:
        assert re.search(rf"^\s*{name}( +[01]\.\d{{4}}){{3}} +\d+$", text, re.MULTILINE)


def test_history_has_a_row_an_epoch_and_the_same_numbers_as_the_json(trained):
    rows, document = trained.history(), trained.json()["history"]
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    names = {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"}
    assert document.keys() == names
    for name in names:
        assert [row[name] for row in rows] == document[name]


def test_learning_rate_cycles_between_the_bounds_of_config(trained):
    # Half cycles of one epoch, 4 steps: the last steps of the epochs are 3, 7, 11, 15 of a triangle from
    # 1e-4 at step 0 to 1e-2 at step 4, so 3/4, 1/4, 3/4, 1/4 of the way up.
    rates = trained.json()["history"]["learning_rate"]
    np.testing.assert_allclose(rates, [0.007525, 0.002575, 0.007525, 0.002575], rtol=1e-12)


def test_training_is_saved_with_its_settings_versions_and_accuracy(trained):
    document = trained.json()
    assert {name: document["settings"][name.lower()] for name in CONFIG} == CONFIG
    assert document["versions"]["numpy"] == np.__version__
    assert document["seconds"] == pytest.approx(sum(document["history"]["seconds"]), abs=0.06)
    assert f"test accuracy {document['test_accuracy']:.4f} after" in trained.out
    assert document["test_accuracy"] == pytest.approx(document["history"]["val_accuracy"][-1], abs=1e-6)


def test_saved_model_is_the_trained_one(trained):
    model = keras.models.load_model(trained.folder / "output" / "model.keras")
    _, (x_test, y_test) = first_images()
    images = image_batches.resize(x_test).astype("float32") / 255
    right = model.predict(images, verbose=0).argmax(axis=1) == y_test
    assert right.mean() == trained.json()["test_accuracy"]
    assert model.optimizer.momentum == 0.9
    assert int(model.optimizer.iterations) == STEPS * NUM_EPOCHS


def test_confusion_matrix_is_saved_and_agrees_with_the_accuracy(trained):
    document = trained.json()
    matrix = np.array(document["confusion_matrix"])
    _, (_, labels) = first_images()
    np.testing.assert_array_equal(matrix.sum(axis=1), np.bincount(labels, minlength=10))
    assert matrix.trace() / NUM_TEST == pytest.approx(document["test_accuracy"])


def test_page_shows_the_run(found, trained, auto):
    pages = {each: (each.folder / "output" / "report.html").read_text() for each in (found, trained, auto)}
    images = {each: page.count('src="data:image/png') for each, page in pages.items()}
    shown = {each: html.count('class="photo" src=') for each, html in pages.items()}
    assert shown[found] == 0
    assert 10 < shown[trained] <= 40  # a picture of each class, and up to three mistakes
    assert {each: images[each] - shown[each] for each in pages} == {found: 1, trained: 3, auto: 4}
    assert f"{trained.json()['test_accuracy']:.2%}" in pages[trained]
    assert f"MAX_LR = {auto.bounds['MAX_LR']:.1e}" in pages[auto]


def test_time_a_run_was_finished_is_saved_with_its_zone(trained):
    finished = datetime.fromisoformat(trained.json()["finished"])
    assert abs(datetime.now(UTC) - finished) < timedelta(hours=1)


def test_training_whose_loss_is_not_finite_ends_at_once_with_3_and_says_what_to_lower(tmp_path):
    diverged = run(tmp_path, MAX_LR=1e38, NUM_EPOCHS=2)
    assert diverged.code == 3
    assert re.fullmatch(
        r"\[ERROR\] the loss is (nan|inf) at step \d of epoch 1: no epoch was finished before\. Lower MAX_LR "
        r"= 1e\+38 in config\.py\. `python train\.py --restart` starts over\n",
        diverged.err,
    )
    assert diverged.files == ["checkpoint.npz"]


def test_last_good_epoch_is_kept_when_the_loss_is_not_finite(tmp_path, monkeypatch):
    real = image_batches.training_batches

    def spoilt(*args, **kwargs):  # of the ninth batch on, in the third epoch of four steps
        data = real(*args, **kwargs).enumerate()
        nan = tf.constant(float("nan"))
        return data.map(lambda step, batch: (tf.where(step >= 8, nan, 1.0) * batch[0], batch[1]))

    monkeypatch.setattr(image_batches, "training_batches", spoilt)
    diverged = run(tmp_path)
    assert diverged.code == 3
    assert "the loss is nan at step 1 of epoch 3: epoch 2 is kept in output/checkpoint.npz. " in diverged.err
    monkeypatch.setattr(image_batches, "training_batches", real)
    resumed = run(tmp_path, "--resume")
    assert (resumed.code, "resuming after epoch 2" in resumed.info) == (0, True)


def assert_same_history(expected: Run, got: Run) -> None:
    before, after = expected.json()["history"], got.json()["history"]
    assert before.keys() == after.keys()
    for name in before.keys() - {"seconds"}:
        np.testing.assert_allclose(after[name], before[name], rtol=1e-5, err_msg=name)


def test_same_seed_trains_the_same(trained, tmp_path):
    assert_same_history(trained, run(tmp_path))


def test_paths_may_be_anywhere(tmp_path):
    plots = {"TRAINING_PLOT_PATH": str(tmp_path / "a" / "t.svg"), "CLR_PLOT_PATH": tmp_path / "b" / "c.pdf"}
    elsewhere = run(tmp_path, OUTPUT_DIR=tmp_path / "o", NUM_EPOCHS=1, **plots)
    assert elsewhere.code == 0
    assert (tmp_path / "a" / "t.svg").read_bytes().startswith(b"<?xml")
    assert (tmp_path / "b" / "c.pdf").read_bytes().startswith(b"%PDF")
    assert json.loads((tmp_path / "o" / "training.json").read_text())["settings"]["output_dir"] == str(
        tmp_path / "o"
    )


# TensorBoard -----------------------------------------------------------------------------------------------


def test_event_files_have_the_history_and_the_rate_of_every_step(tmp_path):
    logged = run(tmp_path, NUM_EPOCHS=2, TENSORBOARD_DIR="events")
    (folder,) = (tmp_path / "events").iterdir()
    assert f"event files for TensorBoard: events/{folder.name}" in logged.info
    written = scalars(folder / "train")
    # Half cycles of one epoch, 4 steps: a triangle from 1e-4 at step 0 to 1e-2 at step 4.
    heights = [0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25]
    steps, rates = zip(*written["learning_rate"], strict=True)
    assert steps == tuple(range(2 * STEPS))
    np.testing.assert_allclose(rates, [1e-4 + 9.9e-3 * height for height in heights], rtol=1e-6)
    history = logged.json()["history"]
    for name in ("loss", "accuracy"):
        for part, key in (("train", name), ("validation", f"val_{name}")):
            epochs, values = zip(*scalars(folder / part)[f"epoch_{name}"], strict=True)
            assert epochs == (0, 1)
            np.testing.assert_allclose(values, history[key], rtol=1e-6)


def test_nothing_of_tensorboard_is_touched_when_it_is_not_asked_for(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise AssertionError("tf.summary was used")

    monkeypatch.delitem(sys.modules, "pyimagesearch_lr.pipeline.tensorboard_log", raising=False)
    monkeypatch.setattr(tf.summary, "create_file_writer", fail)
    quiet = run(tmp_path, "--auto", NUM_EPOCHS=1)
    assert quiet.code == 0
    assert "pyimagesearch_lr.pipeline.tensorboard_log" not in sys.modules
    assert not list(tmp_path.rglob("*tfevents*"))
    with pytest.raises(AssertionError, match=r"tf\.summary was used"):
        run(tmp_path, NUM_EPOCHS=1, TENSORBOARD_DIR="events")


@dataclass(frozen=True)
class Ending:
    """A length of training, that of its half cycles, and the lengths that would end at MIN_LR."""

    num_epochs: int
    choices: str
    step_size: float = 8
    cycle: str = "16"


ENDINGS = [
    Ending(47, "32 or 48"),
    Ending(40, "32 or 48"),
    Ending(5, "16"),
    Ending(4, "3 or 6", step_size=1.5, cycle="3"),
    Ending(1, "3", step_size=0.75, cycle="1.5"),
]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("argv", [[], ["--auto"]])
def test_training_that_ends_in_mid_cycle_is_told_before_the_data_is_loaded(tmp_path, ending, argv):
    with missing_data():
        stopped = run(tmp_path, *argv, STEP_SIZE=ending.step_size, NUM_EPOCHS=ending.num_epochs)
    assert stopped.info[0] == (
        f"NUM_EPOCHS = {ending.num_epochs} is not a whole number of cycles of {ending.cycle} epochs, so "
        "training ends above MIN_LR, which costs accuracy. "
        f"NUM_EPOCHS = {ending.choices} would end at MIN_LR."
    )


@pytest.mark.parametrize(
    ("argv", "num_epochs", "step_size"),
    [([], 48, 8), ([], 16, 8), ([], 1, 0.5), ([], 3, 0.75), (["--lr-find", "1"], 47, 8)],
)
def test_whole_cycles_and_finding_need_no_warning(tmp_path, argv, num_epochs, step_size):
    with missing_data():
        stopped = run(tmp_path, *argv, STEP_SIZE=step_size, NUM_EPOCHS=num_epochs)
    assert stopped.info == ["loading Fashion-MNIST data..."]


def test_half_a_cycle_may_be_half_an_epoch(tmp_path):
    # 4 steps an epoch: up from step 0 to step 2, down to step 4; the epoch's last step is step 3.
    trained = run(tmp_path, NUM_EPOCHS=1, STEP_SIZE=0.5, MIN_LR=1e-4, MAX_LR=1e-2)
    assert (trained.code, trained.err) == (0, "")
    assert trained.json()["history"]["learning_rate"] == pytest.approx([1e-4 + 9.9e-3 / 2])
    assert any("up in 0.5 epochs and down in 0.5" in line for line in trained.info)


def test_exp_range_shrinks_the_cycle_by_gamma_at_every_step(tmp_path):
    cycle = {"NUM_EPOCHS": 2, "STEP_SIZE": 1, "MIN_LR": 1e-4, "MAX_LR": 1e-2}
    shrinking = run(tmp_path, **cycle, CLR_METHOD="exp_range", CLR_GAMMA=0.5).json()
    rates = shrinking["history"]["learning_rate"]  # of steps 3 and 7; the peak is at step 4
    assert rates == pytest.approx([1e-4 + 9.9e-3 * 3 / 4 * 0.5**3, 1e-4 + 9.9e-3 * 1 / 4 * 0.5**7])
    triangular = run(tmp_path, **cycle, CLR_GAMMA=0.5).json()
    rates = triangular["history"]["learning_rate"]
    assert rates == pytest.approx([1e-4 + 9.9e-3 * 3 / 4, 1e-4 + 9.9e-3 * 1 / 4])


@pytest.mark.parametrize(
    ("argv", "asked", "expected"),
    [
        (["--quick"], 600, 240),
        (["--quick"], 0, 0),
        (["--quick", "--verify"], 0, 240),
        (["--verify"], 0, 600),
        (["--no-verify"], 600, 0),
    ],
)
def test_steps_of_verifying(tmp_path, monkeypatch, argv, asked, expected):
    monkeypatch.chdir(tmp_path)
    taken = []
    monkeypatch.setattr(pipeline, "_begin", lambda plan: taken.append(plan.settings.lrfind_verify_steps))
    pipeline.main(SimpleNamespace(**{**CONFIG, "LRFIND_VERIFY_STEPS": asked}), argv)
    assert taken == [expected]


def test_no_rate_is_tried_for_longer_than_the_training_will_be(tmp_path):
    assert run(tmp_path, "--lr-find", "1", LRFIND_VERIFY_STEPS=600).code == 0
    probes = LRCurve.load(tmp_path / "output" / "lrfind.json").probes
    assert {probe.steps for probe in probes if not probe.diverged} == {NUM_EPOCHS * STEPS}


# Both in one go --------------------------------------------------------------------------------------------


def test_auto_leaves_the_files_of_both_phases(auto):
    assert (auto.code, auto.err) == (0, "")
    assert auto.files == [
        "clr_plot.png",
        "examples.json",
        "history.csv",
        "lrfind.json",
        "lrfind_plot.png",
        "model.keras",
        "report.html",
        "report.txt",
        "training.json",
        "training_plot.png",
    ]


def test_auto_trains_with_the_bounds_it_found(auto, found):
    settings = auto.json()["settings"]
    assert {"MIN_LR": settings["min_lr"], "MAX_LR": settings["max_lr"]} == auto.bounds == found.bounds
    low, high = auto.bounds["MIN_LR"], auto.bounds["MAX_LR"]
    expected = [low + part * (high - low) for part in (0.75, 0.25, 0.75, 0.25)]
    np.testing.assert_allclose(auto.json()["history"]["learning_rate"], expected, rtol=1e-12)


def test_auto_trains_as_if_there_had_been_no_sweep(auto, tmp_path):
    assert_same_history(auto, run(tmp_path, **auto.bounds))


def test_auto_without_a_suggestion_says_so_and_does_not_train(tmp_path):
    flat = run(tmp_path, "--auto", **FLAT)
    assert flat.code == 1
    assert flat.info[-1].startswith("this curve supports no suggestion: the loss is flat")
    assert flat.files == ["lrfind.json", "lrfind_plot.png", "report.html"]


def test_quick_look_takes_the_sample_says_so_and_keeps_its_results_apart(tmp_path):
    with missing_data():
        quick = run(tmp_path, "--quick")
    assert quick.code == 0
    assert quick.info[0] == "loading the embedded sample of Fashion-MNIST, not the full data..."
    assert quick.files == ["quick"]
    names = ["clr_plot.png", "lrfind.json", "lrfind_plot.png", "model.keras", "report.txt", "training.json"]
    assert set(names) < set(os.listdir(tmp_path / "output" / "quick"))
    assert quick.json("quick/training.json")["settings"]["quick"] is True


def test_quick_look_at_the_sweep_does_not_train(tmp_path):
    quick = run(tmp_path, "--quick", "--lr-find", "1")
    assert quick.code == 0
    assert sorted(os.listdir(tmp_path / "output" / "quick")) == [
        "lrfind.json",
        "lrfind_plot.png",
        "report.html",
    ]


# What cannot be used ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def missing_data():
    """No data anywhere, without a look at the network."""

    def load_data(data_dir=None):
        raise FileNotFoundError("no data here: put it there")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fashion_mnist, "load_data", load_data)
        yield


def test_missing_data_ends_with_2_and_one_line(tmp_path):
    with missing_data():
        stopped = run(tmp_path)
    assert (stopped.code, stopped.err) == (2, "[ERROR] no data here: put it there\n")


def test_missing_data_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "load_data", REAL_LOAD_DATA)
    stopped = run(tmp_path, DATA_DIR=str(tmp_path / "nowhere"))
    assert stopped.code == 2
    assert re.fullmatch(r"\[ERROR\] .*does not exist\. Received: .*/nowhere\. Expected .*\n", stopped.err)


def test_corrupt_data_ends_with_2_and_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "load_data", REAL_LOAD_DATA)
    for name in fashion_mnist.FILES:
        (tmp_path / name).write_bytes(b"not gzip")
    stopped = run(tmp_path, "--auto", DATA_DIR=tmp_path)
    assert stopped.code == 2
    assert re.fullmatch(r"\[ERROR\] .*train-images.* is not a valid gzip file\. .*\n", stopped.err)


@pytest.mark.parametrize("argv", [[], ["--lr-find", "1"], ["--auto"], ["--quick"]])
def test_bad_setting_ends_with_2_and_one_line(tmp_path, argv):
    stopped = run(tmp_path, *argv, MIN_LR=1.0)
    assert stopped.code == 2
    assert stopped.err == (
        "[ERROR] MIN_LR = 1.0 in config.py: it must be less than MAX_LR = 0.01; swap them, or lower it.\n"
    )
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("argv", [[], ["--lr-find", "1"]])
def test_batch_larger_than_the_data_ends_with_2_and_one_line(tmp_path, argv):
    stopped = run(tmp_path, *argv, BATCH_SIZE=1000)
    assert stopped.code == 2
    assert stopped.err == (
        "[ERROR] BATCH_SIZE = 1000 in config.py: it must be less than the number of training images, 64.\n"
    )


def test_unwritable_output_ends_with_2_before_the_data_is_loaded(tmp_path):
    (tmp_path / "output").write_text("a file")
    stopped = run(tmp_path)
    assert (stopped.code, stopped.out) == (2, "")
    assert re.fullmatch(
        r"\[ERROR\] OUTPUT_DIR = 'output': the folder 'output' cannot be written to \(File exists\)\. .*\n",
        stopped.err,
    )


@pytest.mark.parametrize("argv", [["--lr-find", "yes"], ["--lr-find", "2"], ["--rates"], ["extra"]])
def test_bad_argument_ends_with_2_and_the_usage(capsys, argv):
    with pytest.raises(SystemExit, match="2"):
        pipeline.main(SimpleNamespace(**CONFIG), argv)
    assert capsys.readouterr().err.startswith("usage: ")


# Ctrl-C ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def ctrl_c_from_batch(number: int):
    """The data presses Ctrl-C, for real, when it is asked for its batch `number`."""

    def training_batches(*args, **kwargs):
        count = itertools.count()

        def press(y):
            if next(count) == number:
                os.kill(os.getpid(), signal.SIGINT)
            return y

        def pressing(x, y):
            pressed = tf.numpy_function(press, [y], tf.float32)
            return x, tf.ensure_shape(pressed, y.shape)

        return REAL_TRAINING_BATCHES(*args, **kwargs).map(pressing)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_batches, "training_batches", training_batches)
        yield


@pytest.mark.parametrize("argv", [["--lr-find", "1"], ["--auto"]])
def test_ctrl_c_in_the_sweep_keeps_what_was_measured(tmp_path, argv):
    with ctrl_c_from_batch(70):
        stopped = run(tmp_path, *argv)
    kept = (
        "; what the finder has measured is kept: `python train.py --resume` continues"
        if "--auto" in argv
        else ""
    )
    assert (stopped.code, stopped.err) == (130, f"\n[INFO] interrupted{kept}\n")
    assert stopped.files == [*["checkpoint.npz"] * bool(kept), "lrfind.json", "lrfind_plot.png"]
    assert is_png(tmp_path / "output" / "lrfind_plot.png")
    curve = LRCurve.load(tmp_path / "output" / "lrfind.json")
    assert curve.stop_reason == "interrupted"
    assert 32 <= len(curve) <= 96
    assert curve.metadata["settings"]["seed"] == 42


def test_ctrl_c_before_the_first_step_leaves_no_curve(tmp_path):
    with ctrl_c_from_batch(0):
        stopped = run(tmp_path, "--lr-find", "1")
    assert stopped.code == 130
    assert stopped.files == []


def test_ctrl_c_in_the_first_epoch_leaves_no_half_results(tmp_path):
    with ctrl_c_from_batch(2):
        stopped = run(tmp_path)
    said = "\n[INFO] interrupted; no epoch was finished: `python train.py --resume` continues\n"
    assert (stopped.code, stopped.err) == (130, said)
    assert stopped.files == ["checkpoint.npz"]


# --resume --------------------------------------------------------------------------------------------------


def test_stopped_training_goes_on_as_if_it_had_not_been_stopped(trained, tmp_path):
    with ctrl_c_from_batch(2 * STEPS + 2):
        stopped = run(tmp_path)
    assert (stopped.code, stopped.files) == (130, ["checkpoint-previous.npz", "checkpoint.npz"])
    assert stopped.err == "\n[INFO] interrupted; epoch 2 is kept: `python train.py --resume` continues\n"
    resumed = run(tmp_path, "--resume")
    assert (resumed.code, resumed.err) == (0, "")
    assert "resuming after epoch 2" in resumed.info
    assert resumed.files == trained.files
    assert_same_history(trained, resumed)
    assert resumed.json()["test_accuracy"] == trained.json()["test_accuracy"]
    weights = [
        keras.models.load_model(each.folder / "output" / "model.keras").get_weights()
        for each in (trained, resumed)
    ]
    for expected, got in zip(*weights, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_resume_with_nothing_to_resume_starts_anew(trained, tmp_path):
    resumed = run(tmp_path, "--resume")
    assert "nothing to resume, starting from the beginning" in resumed.info
    assert_same_history(trained, resumed)


def test_training_without_resume_does_not_delete_an_unfinished_one(trained, tmp_path):
    with ctrl_c_from_batch(2 * STEPS + 2):
        run(tmp_path)
    refused = run(tmp_path)
    how = "--resume continues it; --restart starts over and deletes it."
    said = "[ERROR] output/checkpoint.npz holds an unfinished training, 2 of 4 epochs done"
    assert (refused.code, refused.out, refused.err) == (2, "", f"{said}. {how}\n")
    others = run(tmp_path, MAX_LR=0.02, SEED=1)
    expected = "with other settings: MAX_LR = 0.01 there and 0.02 now, SEED = 42 there and 1 now"
    assert (others.code, others.err) == (2, f"{said}, {expected}. {how}\n")
    assert run(tmp_path, "--lr-find", "1").code == 0
    assert_same_history(trained, run(tmp_path, "--resume"))


def test_restart_begins_anew(trained, tmp_path):
    with ctrl_c_from_batch(2 * STEPS + 2):
        run(tmp_path)
    anew = run(tmp_path, "--restart")
    assert (anew.code, anew.files) == (0, trained.files)
    assert_same_history(trained, anew)


def test_training_that_lost_no_epoch_is_begun_anew_without_a_question(trained, tmp_path):
    with ctrl_c_from_batch(2):
        run(tmp_path, MAX_LR=0.02)
    assert_same_history(trained, run(tmp_path))


def test_finished_training_is_not_trained_again_by_resume(tmp_path):
    first = run(tmp_path, NUM_EPOCHS=2)
    before = {name: (tmp_path / "output" / name).read_bytes() for name in first.files}
    again = run(tmp_path, "--resume", NUM_EPOCHS=2)
    accuracy = f"test accuracy {first.json()['test_accuracy']:.4f}"
    assert (again.code, again.err) == (0, "")
    assert len(again.info) == 1
    assert again.info[0].startswith(
        f"this training is finished, there is nothing to resume: {accuracy} after"
    )
    assert {name: (tmp_path / "output" / name).read_bytes() for name in again.files} == before
    other = run(tmp_path, "--resume", NUM_EPOCHS=4, MAX_LR=0.02)
    assert other.code == 0
    differ = "MAX_LR = 0.01 there and 0.02 now, NUM_EPOCHS = 2 there and 4 now"
    assert other.info[1] == f"it had {differ}; leave --resume out to train again"
    assert run(tmp_path, NUM_EPOCHS=2).info[-1] == "all on one page: output/report.html"


def test_damaged_result_is_not_taken_for_a_training_that_never_was(tmp_path):
    run(tmp_path, NUM_EPOCHS=2)
    (tmp_path / "output" / "training.json").write_text("{")
    again = run(tmp_path, "--resume", NUM_EPOCHS=2)
    assert again.code == 2
    assert again.err.startswith("[ERROR] --resume: output/training.json is damaged, so it is not known")


def test_auto_that_was_stopped_in_its_finder_goes_on_without_being_told(tmp_path):
    with ctrl_c_from_batch(70):
        run(tmp_path, "--auto")
    again = run(tmp_path, "--auto")
    assert again.code == 0
    assert again.info[0] == "continuing the run whose finder was stopped; --restart starts over"
    assert len(again.history()) == NUM_EPOCHS


def test_finder_with_other_settings_is_not_gone_on_with(tmp_path):
    """Neither its sweep nor, where it has ended and no epoch was finished, its bounds."""
    with ctrl_c_from_batch(SWEEP_STEPS + 2):  # in the first epoch
        run(tmp_path, "--auto")
    again = run(tmp_path, "--auto", LRFIND_STEPS=60)
    assert (again.code, again.err) == (0, "")
    assert len(LRCurve.load(tmp_path / "output" / "lrfind.json")) <= 60


def test_settings_of_a_finder_that_has_ended_do_not_matter_to_resume(tmp_path):
    with ctrl_c_from_batch(SWEEP_STEPS + STEPS + 2):  # in the second epoch
        run(tmp_path, "--auto")
    resumed = run(tmp_path, "--auto", "--resume", LRFIND_STEPS=60)
    assert (resumed.code, resumed.err) == (0, "")
    assert resumed.json()["settings"]["lrfind_steps"] == SWEEP_STEPS


def test_hint_how_to_go_on_has_the_option_that_tries_rates(tmp_path):
    with ctrl_c_from_batch(SWEEP_STEPS + 60):
        stopped = run(tmp_path, "--auto", "--verify")
    assert stopped.err.endswith("`python train.py --verify --resume` continues\n")


def test_curve_of_an_earlier_run_is_not_taken_for_what_this_one_has_measured(tmp_path):
    assert run(tmp_path, "--lr-find", "1").code == 0
    with ctrl_c_from_batch(0):
        stopped = run(tmp_path, "--auto")
    assert "nothing was measured" in stopped.err
    resumed = run(tmp_path, "--auto", "--resume")
    assert resumed.code == 0
    assert not any(line.startswith("continuing from what was measured") for line in resumed.info)


def test_bounds_of_a_quick_look_are_not_offered_for_config(tmp_path):
    quick = run(tmp_path, "--quick", "--lr-find", "1")
    assert any(line.startswith("suggested bounds, for --quick alone: ") for line in quick.info)


def test_other_images_are_not_gone_on_with(tmp_path, monkeypatch):
    with ctrl_c_from_batch(2 * STEPS + 2):
        run(tmp_path)
    monkeypatch.setattr(fashion_mnist, "load_data", lambda data_dir=None: first_images(NUM_TRAIN + 1))
    other = run(tmp_path, "--resume")
    assert other.code == 2
    assert re.match(r"\[ERROR\] --resume: the training in .* was started with other images: put", other.err)


def test_auto_with_other_images_starts_over_where_no_epoch_was_finished(tmp_path, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "described", interrupted)  # which is printed as the training begins
        assert run(tmp_path, "--auto").code == 130
    monkeypatch.setattr(fashion_mnist, "load_data", lambda data_dir=None: first_images(NUM_TRAIN + 1))
    again = run(tmp_path, "--auto")
    assert (again.code, again.err) == (0, "")
    assert again.info[0].startswith("continuing the run that was stopped before its first epoch's end")
    assert "starting over instead: the images differ from those of that run" in again.info
    assert len(again.history()) == NUM_EPOCHS


def test_cycle_of_less_than_two_steps_is_refused(tmp_path):
    refused = run(tmp_path, BATCH_SIZE=NUM_TRAIN - 1, STEP_SIZE=0.75, NUM_EPOCHS=3)
    assert refused.code == 2
    assert refused.err.startswith("[ERROR] STEP_SIZE = 0.75 in config.py makes cycles of 1.5 steps")
    assert "Raise STEP_SIZE to 1 or more" in refused.err


def test_page_that_cannot_be_written_keeps_the_checkpoint(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device", "output/report.html")

    with monkeypatch.context() as patch:
        patch.setattr(page, "write", full)
        failed = run(tmp_path, NUM_EPOCHS=2)
    assert (failed.code, failed.err) == (2, "[ERROR] output/report.html: No space left on device\n")
    resumed = run(tmp_path, "--resume", NUM_EPOCHS=2)
    assert (resumed.code, "report.html" in resumed.files) == (0, True)


def test_training_that_was_stopped_beside_an_older_finished_one_is_gone_on_with(tmp_path):
    run(tmp_path, NUM_EPOCHS=2)
    with ctrl_c_from_batch(2):
        run(tmp_path)
    assert len(run(tmp_path, "--resume").history()) == NUM_EPOCHS


@pytest.mark.parametrize("options", [[], ["--resume"], ["--auto"]])
def test_damaged_checkpoint_is_one_line_unless_it_is_not_wanted(tmp_path, options):
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "checkpoint.npz").write_bytes(b"no checkpoint")
    refused = run(tmp_path, *options)
    assert refused.code == 2
    assert re.fullmatch(
        r"\[ERROR\] output/checkpoint\.npz is damaged \(BadZipFile: .*\): start over with --restart\.\n",
        refused.err,
    )
    assert (tmp_path / "output" / "checkpoint.npz").read_bytes() == b"no checkpoint"


def test_restart_takes_a_damaged_checkpoint_away(tmp_path):
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "checkpoint.npz").write_bytes(b"no checkpoint")
    assert run(tmp_path, "--restart", NUM_EPOCHS=2).code == 0


def test_leftovers_of_killed_runs_are_removed(tmp_path):
    (tmp_path / "output").mkdir()
    for name in (".partial-7-checkpoint.npz", ".partial-12-model.keras", ".partial-9-clr_plot.png"):
        (tmp_path / "output" / name).write_bytes(b"half")
    for name in ("notes.txt", ".2024-notes", ".partial-notes"):
        (tmp_path / "output" / name).write_text("mine")
    run(tmp_path, "--lr-find", "1", **FLAT)
    hidden = [name for name in os.listdir(tmp_path / "output") if name.startswith(".")]
    assert sorted(hidden) == [".2024-notes", ".partial-notes"]
    assert (tmp_path / "output" / "notes.txt").exists()


def test_more_epochs_may_follow_but_other_settings_may_not(tmp_path):
    with ctrl_c_from_batch(STEPS + 2):
        run(tmp_path)
    other = run(tmp_path, "--resume", MAX_LR=0.02)
    assert other.code == 2
    assert re.fullmatch(r"\[ERROR\] --resume: .*MAX_LR = 0\.01, and it is 0\.02 now: .*\n", other.err)
    longer = run(tmp_path, "--resume", NUM_EPOCHS=6)
    assert len(longer.history()) == 6


def test_fewer_epochs_than_are_done_are_refused_and_nothing_is_lost(tmp_path):
    with ctrl_c_from_batch(3 * STEPS + 2):
        run(tmp_path)
    fewer = run(tmp_path, "--resume", NUM_EPOCHS=2)
    assert fewer.code == 2
    assert re.fullmatch(r"\[ERROR\] --resume: 3 epochs are done, and NUM_EPOCHS = 2 .*\n", fewer.err)
    assert fewer.files == ["checkpoint-previous.npz", "checkpoint.npz"]
    assert len(run(tmp_path, "--resume").history()) == NUM_EPOCHS


@pytest.mark.parametrize("option", ["--resume", "--restart", "--auto"])
def test_what_is_of_a_training_is_refused_beside_a_finder_alone(capsys, option):
    with pytest.raises(SystemExit, match="2"):
        pipeline.main(SimpleNamespace(**CONFIG), ["--lr-find", "1", option])
    assert f"--lr-find 1 does not train: it cannot be combined with {option}" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--verify", "--no-verify"])
def test_option_without_effect_is_told(tmp_path, option):
    told = run(tmp_path, option, NUM_EPOCHS=2)
    assert told.code == 0
    assert f"{option} has no effect: this run has no finder" in told.info


# The command, in a process of its own ----------------------------------------------------------------------


def python(
    *arguments: str | Path, cwd: Path, environment: dict[str, str] | None = None, **kwargs: Any
) -> subprocess.CompletedProcess:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    environment = {**inherited, **(environment or {})}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, **kwargs
    )


CALL = """
import sys, types
sys.path.insert(0, {root!r})
from pyimagesearch_lr.pipeline import main
code = main(types.SimpleNamespace(**{config!r}), {argv!r})
print(code, sorted({{"tensorflow", "keras", "matplotlib", "cv2", "sklearn"}} & set(sys.modules)))
sys.exit(code)
"""


def call(*argv: str, **changes: Any) -> str:
    return CALL.format(root=str(ROOT), config={**CONFIG, **changes}, argv=list(argv))


@pytest.mark.parametrize("script", ["train.py", "scripts/train.py"])
def test_both_scripts_explain_themselves_from_any_folder(tmp_path, script):
    done = python(ROOT / script, "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for option in ("-f( 1)?, --lr-find 1", "--auto", "--quick"):  # Python 3.13 gives the value once
        assert re.search(option, done.stdout)


def test_help_takes_less_than_a_second_and_no_tensorflow(tmp_path):
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        done = python("-X", "importtime", ROOT / "train.py", "--help", cwd=tmp_path)
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 1.0
    imported = {line.split("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "pyimagesearch_lr" in imported
    assert not {"tensorflow", "keras", "matplotlib", "cv2", "sklearn"} & imported


def test_bad_setting_is_found_before_anything_heavy_is_imported(tmp_path):
    done = python("-c", call("--auto", CLR_METHOD="zigzag"), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == "2 []\n"
    assert done.stderr == (
        "[ERROR] CLR_METHOD = 'zigzag' in config.py: it must be one of "
        "('triangular', 'triangular2', 'exp_range').\n"
    )


def test_tensorflow_is_imported_without_its_noise(tmp_path):
    done = python("-c", call(DATA_DIR=str(tmp_path / "nowhere")), cwd=tmp_path)
    assert done.returncode == 2
    assert "tensorflow" in done.stdout
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("[ERROR] ")


def test_tensorflow_is_imported_without_its_noise_also_where_a_checkpoint_is_read_first(tmp_path):
    (tmp_path / "output").mkdir()
    checkpoint = Path(__file__).with_name("fixtures") / "checkpoint_0_1.npz"
    shutil.copy(checkpoint, tmp_path / "output" / "checkpoint.npz")
    done = python("-c", call("--resume", DATA_DIR=str(tmp_path / "nowhere")), cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("[ERROR] `load_data`: the data folder does not exist")


def test_figures_are_drawn_whatever_backend_the_environment_names(tmp_path):
    drawing = "import matplotlib.pyplot as plt; plt.savefig('drawn.png')"
    program = call(DATA_DIR=str(tmp_path / "nowhere")).replace("sys.exit(code)", drawing)
    done = python("-c", program, cwd=tmp_path, environment={"MPLBACKEND": "module://no_such_module"})
    assert "Error" not in done.stderr.replace("[ERROR]", "")
    assert is_png(tmp_path / "drawn.png")


def test_closed_standard_error_does_not_stop_the_command(tmp_path):
    done = python(
        "-c", call(DATA_DIR=str(tmp_path / "nowhere")), cwd=tmp_path, preexec_fn=lambda: os.close(2)
    )
    assert done.returncode == 2
    assert "tensorflow" in done.stdout


def test_ctrl_c_while_tensorflow_is_imported_ends_with_130_and_one_line(tmp_path):
    command = [sys.executable, "-c", call(STEP_SIZE=8, NUM_EPOCHS=47)]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline().startswith("[INFO] NUM_EPOCHS = 47 ")
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            try:
                _, err = process.communicate(timeout=30)
            except subprocess.TimeoutExpired:  # Python drops a Ctrl-C that meets a destructor: press it again
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, err) == (130, "\n[INFO] interrupted\n")


@pytest.fixture
def console(monkeypatch, tmp_path):
    """The installed command in an empty folder, with `main` replaced by one that gives its config back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if Path(entry).resolve() != ROOT])
    monkeypatch.delitem(sys.modules, "config", raising=False)
    monkeypatch.setattr(pipeline, "run", lambda config, asked: config.MIN_LR)
    monkeypatch.setattr(sys, "argv", ["pyimagesearch-lr"])
    yield pipeline.console
    sys.modules.pop("config", None)


def test_installed_command_takes_the_config_of_the_current_folder(console, tmp_path):
    (tmp_path / "config.py").write_text("MIN_LR = 7\n")
    assert console() == 7


def test_script_takes_the_config_beside_it_and_says_what_is_wrong_with_it(console, capsys, tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (tmp_path / "config.py").write_text("MIN_LR = 7\n")
    (folder / "config.py").write_text("MIN_LR = = 8\n")
    assert console(folder) == 2
    assert capsys.readouterr().err.startswith(f"[ERROR] {folder / 'config.py'}, line 1: SyntaxError: ")
    (folder / "config.py").write_text("MIN_LR = 8\n")
    assert console(folder) == 8


def test_installed_command_explains_itself_without_a_config(console, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["pyimagesearch-lr", "--help"])
    with pytest.raises(SystemExit, match="0"):
        console()
    assert "--lr-find" in capsys.readouterr().out


def test_installed_command_without_a_config_says_where_it_looked(console, capsys, tmp_path):
    assert console() == 2
    expected = f"[ERROR] there is no config.py in {tmp_path}: `pyimagesearch-lr init` writes one into the"
    assert capsys.readouterr().err == f"{expected} current folder.\n"


@dataclass(frozen=True)
class Broken:
    """A config.py that cannot be imported: its text, the line that is wrong and what is said about it."""

    text: str
    line: int
    what: str


BROKEN = [
    Broken("MIN_LR = 1e-5\nMAX_LR = \n", 2, "SyntaxError: invalid syntax."),
    Broken("CLASSES = [\n", 1, "SyntaxError: '[' was never closed."),
    Broken("if True:\nMIN_LR = 1\n", 2, "IndentationError: expected an indented block after 'if' "),
    Broken("\nimport not_there\n", 2, "ModuleNotFoundError: No module named 'not_there'."),
    Broken("MIN_LR = 1\nMAX_LR = MINLR * 2\n", 2, "NameError: name 'MINLR' is not defined"),
    Broken("MIN_LR = 1 / 0\n", 1, "ZeroDivisionError: division by zero."),
    Broken("raise ValueError('two\\nlines')\n", 1, "ValueError: two lines."),
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.what.split(":")[0])
def test_installed_command_says_in_one_line_what_is_wrong_with_config(console, capsys, tmp_path, broken):
    (tmp_path / "config.py").write_text(broken.text)
    assert console() == 2
    expected = f"[ERROR] {tmp_path / 'config.py'}, line {broken.line}: {broken.what}"
    assert capsys.readouterr().err.startswith(expected)


def test_installed_command_names_the_file_that_config_imports_and_is_wrong(console, capsys, tmp_path):
    (tmp_path / "config.py").write_text("import my_own_rates\n")
    (tmp_path / "my_own_rates.py").write_text("\n\n1 +\n")
    assert console() == 2
    error = capsys.readouterr().err
    assert error == f"[ERROR] {tmp_path / 'my_own_rates.py'}, line 3: SyntaxError: invalid syntax.\n"


@pytest.mark.slow
def test_quick_look_works_on_the_real_network_within_two_minutes(tmp_path):
    started = time.perf_counter()
    done = python(ROOT / "train.py", "--quick", cwd=tmp_path)
    seconds = time.perf_counter() - started
    assert (done.returncode, done.stderr) == (0, "")
    assert seconds < 120
    result = json.loads((tmp_path / "output" / "quick" / "training.json").read_text())
    assert len(result["history"]["loss"]) == 4
    assert result["history"]["accuracy"][-1] > 0.5
    model = keras.models.load_model(tmp_path / "output" / "quick" / "model.keras")
    assert model.count_params() == 1_654_522
    curve = LRCurve.load(tmp_path / "output" / "quick" / "lrfind.json")
    assert curve.suggest().max_lr == pytest.approx(result["settings"]["max_lr"], rel=0.05)
