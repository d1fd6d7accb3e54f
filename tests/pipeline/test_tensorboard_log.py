"""Event files of a training, read back: scalars by epoch, the rate of every step."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from event_files import scalars
from models import data, model

from pyimagesearch_lr.cycles import CyclicLR
from pyimagesearch_lr.pipeline.tensorboard_log import TensorBoardLog

X, Y = data(64)


def fit(folder, network=None, callbacks=(), **kwargs):
    network = model() if network is None else network
    callbacks = [*callbacks, TensorBoardLog(folder)]
    kwargs = {"batch_size": 16, "verbose": 0, "validation_data": (X, Y), **kwargs}
    return network.fit(X, Y, callbacks=callbacks, **kwargs).history


def test_every_step_has_the_rate_it_was_trained_with(tmp_path):
    fit(tmp_path, callbacks=[CyclicLR(0.25, 0.75, 2)], epochs=2)
    # 4 steps an epoch, half cycles of 2 steps.
    rates = [0.25, 0.5, 0.75, 0.5] * 2
    assert scalars(tmp_path / "train")["learning_rate"] == list(enumerate(rates))


def test_every_epoch_has_what_fit_logs_training_and_validation_apart(tmp_path):
    history = fit(tmp_path, callbacks=[CyclicLR(0.25, 0.75, 2)], epochs=3)
    train, validation = scalars(tmp_path / "train"), scalars(tmp_path / "validation")
    assert train.keys() == {"learning_rate", "epoch_loss", "epoch_accuracy", "epoch_learning_rate"}
    assert validation.keys() == {"epoch_loss", "epoch_accuracy"}
    assert train["epoch_learning_rate"] == [(0, 0.5), (1, 0.5), (2, 0.5)]
    for name in ("loss", "accuracy"):
        for written, expected in ((train, history[name]), (validation, history[f"val_{name}"])):
            epochs, values = zip(*written[f"epoch_{name}"], strict=True)
            assert epochs == (0, 1, 2)
            np.testing.assert_allclose(values, expected, rtol=1e-6)


def test_training_without_validation_writes_no_validation(tmp_path):
    fit(tmp_path, epochs=1, validation_data=None)
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


def test_second_fit_goes_on_at_the_next_step(tmp_path):
    network = model()
    fit(tmp_path / "first", network, epochs=1)
    fit(tmp_path / "second", network, epochs=2, initial_epoch=1)
    steps = [step for step, _ in scalars(tmp_path / "second" / "train")["learning_rate"]]
    assert steps == [4, 5, 6, 7]
    assert [epoch for epoch, _ in scalars(tmp_path / "second" / "train")["epoch_loss"]] == [1]


@pytest.mark.parametrize(
    ("optimizer", "steps_per_execution", "expected"),
    [
        (keras.optimizers.SGD(0.5, gradient_accumulation_steps=2), 1, [4, 5, 6, 7]),
        (keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5)), 1, [4, 5, 6, 7]),
        (
            keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5, gradient_accumulation_steps=2)),
            1,
            [4, 5, 6, 7],
        ),
        pytest.param(
            keras.optimizers.SGD(0.5),
            3,
            [4, 7],
            marks=pytest.mark.skipif(
                keras.__version__ < "3.13", reason="this Keras does not tell the last batch of an execution"
            ),
        ),
    ],
    ids=["accumulated", "scaled", "both", "three an execution"],
)
def test_every_batch_is_counted_whatever_the_optimizer_does_with_it(
    tmp_path, optimizer, steps_per_execution, expected
):
    network = model(optimizer, steps_per_execution=steps_per_execution)
    fit(tmp_path / "first", network, epochs=1)
    fit(tmp_path / "second", network, epochs=2, initial_epoch=1)
    steps = [step for step, _ in scalars(tmp_path / "second" / "train")["learning_rate"]]
    assert steps == expected


def test_batch_whose_gradients_overflow_is_counted(tmp_path):
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5), initial_scale=1e38)
    fit(tmp_path, model(scaled), epochs=1)
    assert [step for step, _ in scalars(tmp_path / "train")["learning_rate"]] == [0, 1, 2, 3]


def test_loss_that_is_no_longer_finite_is_written(tmp_path):
    network = model(keras.optimizers.SGD(1e38))
    fit(tmp_path, network, epochs=1)
    ((_, loss),) = scalars(tmp_path / "train")["epoch_loss"]
    assert not np.isfinite(loss)


def test_finished_epochs_are_on_disk_when_the_training_stops(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, callbacks=[Stop()], epochs=2)
    assert len(scalars(tmp_path / "train")["learning_rate"]) == 4


def test_optimizer_with_a_schedule_has_its_rates_written(tmp_path):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.5, decay_steps=1, decay_rate=0.5)
    fit(tmp_path, model(keras.optimizers.SGD(schedule)), epochs=1)
    assert scalars(tmp_path / "train")["learning_rate"] == [(0, 0.5), (1, 0.25), (2, 0.125), (3, 0.0625)]


def test_files_are_what_tensorboard_reads(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    fit(tmp_path, callbacks=[CyclicLR(0.25, 0.75, 2)], epochs=1)
    events = accumulator.EventAccumulator(str(tmp_path / "train")).Reload()
    assert set(events.Tags()["tensors"]) == set(scalars(tmp_path / "train"))
    assert [tf.make_ndarray(each.tensor_proto) for each in events.Tensors("learning_rate")] == [
        0.25,
        0.5,
        0.75,
        0.5,
    ]
