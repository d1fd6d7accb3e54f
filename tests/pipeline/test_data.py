"""The images of a run: those asked for, some held out, and one line where they cannot be had."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from test_plan import GOOD

from pyimagesearch_lr.pipeline import data, fashion_mnist
from pyimagesearch_lr.pipeline.command_line import parse
from pyimagesearch_lr.pipeline.plan import Plan, SettingError

TRAINING = np.arange(40, dtype=np.uint8)[:, None, None] * np.ones((1, 28, 28), np.uint8), np.arange(40) % 10
TEST = np.full((10, 28, 28), 200, np.uint8), np.arange(10)


def planned(*argv: str, **changes: Any) -> Plan:
    return Plan.made(SimpleNamespace(**{**GOOD, "BATCH_SIZE": 8, **changes}), parse(list(argv)))


@pytest.fixture(autouse=True)
def folders(monkeypatch):
    """The folders that were asked for."""
    asked = []
    monkeypatch.setattr(fashion_mnist, "load_data", lambda folder: asked.append(folder) or (TRAINING, TEST))
    return asked


def test_images_come_from_the_folder_of_the_settings(folders):
    loaded = data.load(planned(DATA_DIR="somewhere"))
    assert folders == ["somewhere"]
    assert loaded.evaluated_on == "test"
    np.testing.assert_array_equal(loaded.train_images, TRAINING[0])
    np.testing.assert_array_equal(loaded.test_labels, TEST[1])


def test_quick_look_takes_the_sample_and_no_folder(folders):
    loaded = data.load(planned("--quick"))
    assert folders == []
    assert (len(loaded.train_images), len(loaded.test_images)) == (2000, 500)


def test_held_out_images_are_the_last_ones_and_the_test_images_are_gone(capsys):
    loaded = data.load(planned(HOLD_OUT=15))
    assert loaded.evaluated_on == "held-out"
    assert loaded.train_images[:, 0, 0].tolist() == list(range(25))
    assert loaded.test_images[:, 0, 0].tolist() == list(range(25, 40))
    assert loaded.test_labels.tolist() == [number % 10 for number in range(25, 40)]
    assert "the last 15 training images are held out" in capsys.readouterr().out


@pytest.mark.parametrize(("held_out", "steps"), [(0, 5), (1, 4), (31, 1)])
def test_an_epoch_is_of_the_whole_batches_that_are_left(held_out, steps):
    assert data.load(planned(HOLD_OUT=held_out)).steps_per_epoch == steps


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"HOLD_OUT": 40}, "HOLD_OUT = 40 .* less than the number of training images, 40"),
        ({"BATCH_SIZE": 40}, "BATCH_SIZE = 40 .* less than the number of training images, 40"),
        ({"HOLD_OUT": 32}, "BATCH_SIZE = 8 .* less than the number of training images, 8"),
    ],
)
def test_too_few_images_are_refused_by_the_settings_name(changes, message):
    with pytest.raises(SettingError, match=message):
        data.load(planned(**changes))


@pytest.mark.parametrize("error", [FileNotFoundError, ValueError, RuntimeError])
def test_images_that_cannot_be_had_are_one_kind_of_error_with_the_reason(monkeypatch, error):
    def load_data(folder):
        raise error("no data here")

    monkeypatch.setattr(fashion_mnist, "load_data", load_data)
    with pytest.raises(data.UnusableData, match=r"^no data here$"):
        data.load(planned())


def test_batches_have_the_size_of_the_stage_and_of_the_settings():
    loaded = data.load(planned())
    for size in (20, 32):
        images, labels = next(iter(loaded.training_batches(size)))
        assert (images.shape, labels.shape) == ((8, size, size, 1), (8, 10))
        assert [len(images) for images, _ in loaded.test_batches(size)] == [8, 2]
