"""Recipes: the short one through the front door, held-out images, and what a recipe compiles."""

from __future__ import annotations

import dataclasses
import itertools
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from test_training import CONFIG, STEPS, Run, ctrl_c_from_batch, first_images, run

from pyimagesearch_lr.minigooglenet import MiniGoogLeNet
from pyimagesearch_lr.optimizers import ConvMuon
from pyimagesearch_lr.pipeline import fashion_mnist, image_batches, plan, saved_model
from pyimagesearch_lr.pipeline import model as model_room
from pyimagesearch_lr.pipeline.command_line import parse
from pyimagesearch_lr.pipeline.data import Data
from pyimagesearch_lr.pipeline.plan import Recipe, Settings, Stage

FIXTURES = Path(__file__).with_name("fixtures")
STAGES = (Stage(20, 2), Stage(28, 3))
REAL_TRAINING_BATCHES = image_batches.training_batches


def network_of_any_size(width, height, depth, classes, dropout) -> keras.Model:
    layers = [keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D()]
    outputs = keras.layers.Dense(classes, activation="softmax", dtype="float32")
    return keras.Sequential([keras.Input((height, width, depth)), *layers, outputs])


@pytest.fixture(scope="module", autouse=True)
def tiny():
    """A few dozen images, a network of two layers, and a short recipe of five epochs."""
    policy = keras.config.dtype_policy()
    short = Recipe(
        STAGES,
        epochs_up=2,
        epochs_down=3,
        nesterov=True,
        weight_decay=1e-3,
        label_smoothing=0.1,
        alternate_flips=True,
        mirrored_mean=True,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fashion_mnist, "load_data", lambda data_dir=None: first_images())
        patch.setattr(MiniGoogLeNet, "build", staticmethod(network_of_any_size))
        patch.setitem(plan.COMPLETE, "short", short)
        yield
    keras.config.set_dtype_policy(policy)


@pytest.fixture(scope="module")
def sizes() -> list[tuple]:
    """The shapes of the images that were given to train on, in their order."""
    return []


@pytest.fixture(scope="module")
def short(tmp_path_factory, sizes):
    def training_batches(images, *args, **kwargs):
        sizes.append(images.shape[1:])
        return REAL_TRAINING_BATCHES(images, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_batches, "training_batches", training_batches)
        return run(tmp_path_factory.mktemp("short"), "--recipe", "short")


# --recipe short --------------------------------------------------------------------------------------------


def test_short_recipe_finds_its_bounds_and_trains_between_them(short):
    assert (short.code, short.err) == (0, "")
    settings = short.json("short/training.json")["settings"]
    assert (settings["min_lr"], settings["max_lr"]) == (short.bounds["MIN_LR"], short.bounds["MAX_LR"])
    assert settings["bounds_from"] == "the finder"
    low, high = (f"{short.bounds[name]:g}" for name in ("MIN_LR", "MAX_LR"))
    assert (
        "training for 5 epochs (2 of 20 x 20 pixels, then 3 of 28 x 28 pixels), triangular learning rate "
        f"between {low} and {high}, up in 2 epochs and down in 3..."
    ) in short.info
    assert "epochs 1 to 2: images of 20 x 20 pixels" in short.info
    assert "epochs 3 to 5: images of 28 x 28 pixels" in short.info


def test_its_results_leave_those_of_the_tutorials_recipe_alone(short):
    assert short.files == ["short"]
    names = {path.name for path in (short.folder / "output" / "short").iterdir()}
    assert names >= {"lrfind.json", "training.json", "model.keras", "report.html", "clr_plot.png"}
    assert "checkpoint.npz" not in names


def test_the_finder_and_each_stage_get_images_of_their_size(short, sizes):
    assert sizes == [(20, 20, 1), (20, 20, 1), (28, 28, 1)]


def test_one_triangle_goes_through_all_stages(short):
    # 4 steps an epoch: up from step 0 to step 8, down to step 20; the epochs end at steps 3, 7, 11, 15, 19.
    low, high = short.bounds["MIN_LR"], short.bounds["MAX_LR"]
    expected = [low + (high - low) * height for height in (3 / 8, 7 / 8, 9 / 12, 5 / 12, 1 / 12)]
    history = short.json("short/training.json")["history"]
    np.testing.assert_allclose(history["learning_rate"], expected, rtol=1e-12)


def test_what_is_recorded_is_what_was_done_and_not_what_config_says(short):
    document = short.json("short/training.json")
    settings = document["settings"]
    assert (settings["recipe"], settings["num_epochs"], settings["step_size"]) == ("short", 5, 2)
    assert settings["batch_size"] == CONFIG["BATCH_SIZE"]
    assert document["training"].startswith("5 epochs (2 of 20 x 20 pixels, then 3 of 28 x 28 pixels), ")
    page = (short.folder / "output" / "short" / "report.html").read_text()
    assert document["training"] in page


def test_the_saved_network_is_evaluated_at_the_last_size_on_images_and_their_mirror_images(short):
    path = short.folder / "output" / "short" / "model.keras"
    model = keras.models.load_model(path)
    _, (x_test, y_test) = first_images()
    x_test = x_test[..., np.newaxis] / np.float32(255)
    as_they_are, both = model.predict(x_test, verbose=0), model.predict(x_test[:, :, ::-1], verbose=0)
    both = both + as_they_are
    assert not np.allclose(both, 2 * as_they_are, atol=1e-4)
    results = short.json("short/training.json")
    assert results["test_accuracy"] == (both.argmax(axis=1) == y_test).mean()
    assert results["accuracy_without_mirror_images"] == (as_they_are.argmax(axis=1) == y_test).mean()
    assert f"({results['accuracy_without_mirror_images']:.4f} without the mirror images)" in short.info[-2]
    assert saved_model.load(path)[1].mirrored_mean
    assert int(model.optimizer.iterations) == STEPS * 5


def test_the_recipe_mirrors_each_image_in_every_other_epoch(monkeypatch):
    asked = {}
    monkeypatch.setattr(image_batches, "training_batches", lambda *args, **kwargs: asked.update(kwargs))
    made = plan.Plan.made(SimpleNamespace(**CONFIG), parse(["--recipe", "short"]))
    Data(made, *first_images()[0], *first_images()[1]).training_batches(20)
    assert asked["alternate_flips"] is True


def run_stopped_in(folder: Path, epoch: int, *argv: str) -> Run:
    """A run whose data press Ctrl-C two batches into the given epoch of the training, counted from 0."""
    calls = itertools.count()
    epochs_of = {**dict(STAGES), 32: CONFIG["NUM_EPOCHS"]}

    def training_batches(images, *args, start_epoch=0, **kwargs):
        is_training = next(calls) > 0  # the finder asks first
        if is_training and start_epoch <= epoch < start_epoch + epochs_of[images.shape[1]]:
            with ctrl_c_from_batch((epoch - start_epoch) * STEPS + 2):
                return image_batches.training_batches(images, *args, start_epoch=start_epoch, **kwargs)
        return REAL_TRAINING_BATCHES(images, *args, start_epoch=start_epoch, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_batches, "training_batches", training_batches)
        return run(folder, *argv)


@pytest.mark.parametrize("epoch", [1, 3])
def test_stopped_in_any_stage_it_goes_on_with_the_bounds_it_had_found(short, tmp_path, epoch):
    assert run_stopped_in(tmp_path, epoch, "--recipe", "short").code == 130
    resumed = run(tmp_path, "--recipe", "short", "--resume", MIN_LR=1e-7, MAX_LR=1e-6)
    assert (resumed.code, resumed.err) == (0, "")
    assert f"resuming after epoch {epoch}" in resumed.info
    assert "finding learning rate..." not in resumed.info
    assert_same_training(short.json("short/training.json"), resumed.json("short/training.json"))


@pytest.mark.parametrize("argv", [["--resume"], ["--auto", "--resume"]])
def test_auto_that_was_stopped_goes_on_with_the_bounds_it_had_found(tmp_path, argv):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    whole.mkdir()
    stopped.mkdir()
    expected = run(whole, "--auto")
    assert run_stopped_in(stopped, 2, "--auto").code == 130
    resumed = run(stopped, *argv)
    assert "resuming after epoch 2" in resumed.info
    assert_same_training(expected.json(), resumed.json())


def test_auto_that_was_stopped_by_version_0_1_goes_on_with_the_bounds_it_had_found(tmp_path, monkeypatch):
    """The fixture: version 0.1's checkpoint of `--auto` with CONFIG, stopped in the third epoch of four."""

    def averages(width, height, depth, classes, dropout):
        layers = [keras.layers.AveragePooling2D(8), keras.layers.Flatten()]
        outputs = keras.layers.Dense(classes, activation="softmax", dtype="float32")
        return keras.Sequential([keras.Input((height, width, depth)), *layers, outputs])

    monkeypatch.setattr(MiniGoogLeNet, "build", staticmethod(averages))
    old, new = tmp_path / "old", tmp_path / "new"
    (old / "output").mkdir(parents=True)
    new.mkdir()
    shutil.copy(FIXTURES / "checkpoint_0_1.npz", old / "output" / "checkpoint.npz")
    resumed = run(old, "--auto", "--resume")
    assert (resumed.code, resumed.err) == (0, "")
    assert "resuming after epoch 2" in resumed.info
    settings = resumed.json()["settings"]
    assert (settings["min_lr"], settings["max_lr"]) == (0.00023, 0.55)
    assert settings["bounds_from"] == "the finder"
    whole = run(new, MIN_LR=0.00023, MAX_LR=0.55).json()["history"]
    for name in whole.keys() - {"seconds"}:
        np.testing.assert_allclose(resumed.json()["history"][name], whole[name], rtol=1e-5, err_msg=name)


def assert_same_training(expected: dict, received: dict) -> None:
    for name in ("min_lr", "max_lr", "bounds_from"):
        assert received["settings"][name] == expected["settings"][name]
    before, after = expected["history"], received["history"]
    assert before.keys() == after.keys()
    for name in before.keys() - {"seconds"}:
        np.testing.assert_allclose(after[name], before[name], rtol=1e-5, err_msg=name)


def test_nothing_to_resume_starts_with_the_finder(short, tmp_path):
    resumed = run(tmp_path, "--recipe", "short", "--resume")
    assert "nothing to resume, starting from the beginning" in resumed.info
    assert "finding learning rate..." in resumed.info
    assert resumed.bounds == short.bounds


def test_auto_that_was_stopped_before_its_first_epoch_ended_knows_its_bounds(tmp_path):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    whole.mkdir()
    stopped.mkdir()
    expected = run(whole, "--auto")
    assert run_stopped_in(stopped, 0, "--auto").code == 130
    resumed = run(stopped, "--auto", "--resume")
    assert "finding learning rate..." not in resumed.info
    assert_same_training(expected.json(), resumed.json())


def test_a_training_of_the_other_recipe_is_not_resumed(tmp_path):
    with ctrl_c_from_batch(STEPS + 2):
        assert run(tmp_path).code == 130
    resumed = run(tmp_path, "--recipe", "short", "--resume")
    assert "nothing to resume, starting from the beginning" in resumed.info
    assert (tmp_path / "output" / "checkpoint.npz").exists()


def test_lr_find_with_the_short_recipe_only_finds(tmp_path):
    found = run(tmp_path, "--recipe", "short", "--lr-find", "1")
    assert found.code == 0
    assert {path.name for path in (tmp_path / "output" / "short").iterdir()} == {
        "lrfind.json",
        "lrfind_plot.png",
        "report.html",
    }


# HOLD_OUT --------------------------------------------------------------------------------------------------


def test_held_out_images_are_the_last_and_are_evaluated_on_in_place_of_the_test_images(tmp_path):
    (x_train, y_train), (x_test, y_test) = first_images(64)
    received = []

    def training_batches(images, labels, *args, **kwargs):
        received.append((images, labels.argmax(axis=1)))
        return REAL_TRAINING_BATCHES(images, labels, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        spoilt = (x_train, y_train), (np.full_like(x_test, 255), np.zeros_like(y_test))
        patch.setattr(fashion_mnist, "load_data", lambda data_dir=None: spoilt)
        patch.setattr(image_batches, "training_batches", training_batches)
        held = run(tmp_path, HOLD_OUT=20)
    assert held.code == 0
    assert "the last 20 training images are held out; the test images are not used" in held.info
    ((images, labels),) = received
    np.testing.assert_array_equal(images, image_batches.resize(x_train[:44]))
    np.testing.assert_array_equal(labels, y_train[:44])
    model = keras.models.load_model(tmp_path / "output" / "model.keras")
    kept = image_batches.resize(x_train[44:]) / np.float32(255)
    right = model.predict(kept, verbose=0).argmax(axis=1) == y_train[44:]
    document = held.json()
    assert document["held_out_accuracy"] == right.mean()
    assert "test_accuracy" not in document
    assert re.search(r"held-out accuracy 0\.\d{4} after", held.out)
    page = (tmp_path / "output" / "report.html").read_text()
    assert "held-out accuracy" in page
    assert "test accuracy" not in page


def test_no_training_images_left_is_one_line(tmp_path):
    bad = run(tmp_path, HOLD_OUT=64)
    assert (bad.code, bad.err) == (
        2,
        "[ERROR] HOLD_OUT = 64 in config.py: it must be less than the number of training images, 64.\n",
    )


# What a recipe compiles ------------------------------------------------------------------------------------


def compiled(**changes) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, kernel_initializer="ones", bias_initializer="ones"),
            keras.layers.BatchNormalization(trainable=True),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model_room.compile_by(Recipe((Stage(32, 1),), 1, 1, **changes), model, 0.5)
    return model


def test_decay_takes_its_part_off_kernels_and_nothing_else():
    model = compiled(weight_decay=0.1)
    before = model.get_weights()
    x, y = np.zeros((2, 3), "float32"), np.eye(2, dtype="float32")
    model.train_on_batch(x, y, sample_weight=np.zeros(2))  # no gradient: what changes is the decay's
    kernels = {0: before[0], 6: before[6]}
    for number, weight in enumerate(model.get_weights()):
        name = model.weights[number].path
        if number in kernels:
            np.testing.assert_allclose(weight, kernels[number] * (1 - 0.5 * 0.1), rtol=1e-6, err_msg=name)
        elif "moving" not in name:
            np.testing.assert_array_equal(weight, before[number], err_msg=name)


def test_smoothed_labels_give_the_loss_worked_out_by_hand():
    model = compiled(label_smoothing=0.2)
    (p,) = model.predict(np.zeros((1, 3), "float32"), verbose=0)
    expected = -(0.9 * np.log(p[0]) + 0.1 * np.log(p[1]))
    received = model.evaluate(np.zeros((1, 3)), np.array([[1.0, 0.0]]), verbose=0)[0]
    assert received == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("policy", "matrix_dtype"),
    [("float32", "float32"), ("mixed_bfloat16", "bfloat16"), ("mixed_float16", "float32")],
)
def test_a_recipe_chooses_its_optimizer_and_the_precision_its_type_of_matrices(policy, matrix_dtype):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    optimizer = model_room._optimizer(Recipe((), 1, 1, optimizer="conv_muon", momentum=0.7), 0.5)
    keras.config.set_dtype_policy(before)
    assert type(optimizer) is ConvMuon
    assert (optimizer.matrix_dtype, optimizer.momentum) == (matrix_dtype, 0.7)


def test_a_recipe_says_how_far_images_are_shifted(monkeypatch):
    asked = {}
    monkeypatch.setattr(image_batches, "training_batches", lambda *args, **kwargs: asked.update(kwargs))
    made = plan.Plan.made(SimpleNamespace(**CONFIG), parse([]))
    for shift in (0.1, 0.05):
        recipe = dataclasses.replace(made.recipe, shift=shift)
        data = Data(dataclasses.replace(made, recipe=recipe), *first_images()[0], *first_images()[1])
        data.training_batches(20)
        assert asked["shift"] == shift


def test_the_tutorials_recipe_is_what_the_tutorial_compiles():
    settings = Settings.from_config(type("config", (), {**CONFIG}))
    assert plan.tutorial(settings) == Recipe((Stage(32, 4),), epochs_up=1, epochs_down=1, mode="triangular")
    model = compiled()
    assert (model.optimizer.momentum, model.optimizer.nesterov) == (0.9, False)
    assert model.optimizer.weight_decay is None
    assert type(model.optimizer) is keras.optimizers.SGD
