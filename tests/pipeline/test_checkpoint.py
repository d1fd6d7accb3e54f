"""`EpochCheckpoint`: stopped at any time, a training goes on from its last finished epoch."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import keras
import numpy as np
import pytest
from models import data, model, state

from pyimagesearch_lr.cycles import CyclicLR
from pyimagesearch_lr.pipeline import checkpoint_file
from pyimagesearch_lr.pipeline.checkpoint import EpochCheckpoint

pytestmark = pytest.mark.filterwarnings("ignore::pyimagesearch_lr.MidCycleWarning")
X, Y = data(64)
SETTINGS = {"MAX_LR": 0.05, "SEED": 1}


def fit(network, checkpoint, clr, epochs, initial_epoch=0):
    callbacks = [clr, checkpoint]
    network.fit(
        X,
        Y,
        batch_size=16,
        epochs=epochs,
        initial_epoch=initial_epoch,
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
    )


def parts(path, settings=SETTINGS, **kwargs):
    clr = CyclicLR(0.01, 0.05, 6)
    clr.history["lr"] = []
    network = model(keras.optimizers.Adam(0.01, use_ema=True), **kwargs)
    return network, EpochCheckpoint(path, settings, clr.history), clr


def test_weights_in_bfloat16_are_put_back(tmp_path):
    def made(seed):
        keras.utils.set_random_seed(seed)
        network = keras.Sequential([keras.Input(X.shape[1:]), keras.layers.Dense(3, dtype="bfloat16")])
        network.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
        return network, EpochCheckpoint(tmp_path / "checkpoint.npz", SETTINGS)

    trained, checkpoint = made(0)
    trained.fit(X, np.ones((len(X), 3)), verbose=0, callbacks=[checkpoint])
    restored, again = made(1)
    assert again.restore(restored) == 1
    for got, expected in zip(restored.variables, trained.variables, strict=True):
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(keras.ops.cast(got, "float32")),
            keras.ops.convert_to_numpy(keras.ops.cast(expected, "float32")),
        )


def test_restored_training_ends_bit_identical_dropout_and_cycle_included(tmp_path):
    whole, checkpoint, clr = parts(tmp_path / "whole.npz")
    fit(whole, checkpoint, clr, epochs=5)
    history, rates = checkpoint.logs, clr.history["lr"]

    path = tmp_path / "checkpoint.npz"
    fit(*parts(path), epochs=2)
    resumed, checkpoint, clr = parts(path, seed=99)
    epochs_done = checkpoint.restore(resumed)
    fit(resumed, checkpoint, clr, epochs=5, initial_epoch=epochs_done)

    assert epochs_done == 2
    assert clr.history["lr"] == rates
    for name in ("loss", "accuracy", "learning_rate"):
        assert checkpoint.logs[name] == history[name]
    for expected, got in zip(state(whole)["variables"], state(resumed)["variables"], strict=True):
        np.testing.assert_array_equal(got, expected)


def test_nothing_saved_is_zero_epochs_and_changes_nothing(tmp_path):
    network, checkpoint, _ = parts(tmp_path / "none.npz")
    before = network.get_weights()
    assert checkpoint.restore(network) == 0
    for expected, got in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_other_settings_are_refused_by_name(tmp_path):
    path = tmp_path / "checkpoint.npz"
    fit(*parts(path), epochs=1)
    network, checkpoint, _ = parts(path, settings={**SETTINGS, "MAX_LR": 0.1})
    with pytest.raises(ValueError, match=r"MAX_LR = 0\.05, and it is 0\.1 now: set it back"):
        checkpoint.restore(network)


def test_a_setting_that_only_one_version_knows_stops_nothing(tmp_path):
    path = tmp_path / "checkpoint.npz"
    fit(*parts(path, settings={**SETTINGS, "GONE": 1}), epochs=1)
    network, checkpoint, _ = parts(path, settings={**SETTINGS, "NEW": "auto"})
    assert checkpoint.restore(network) == 1


def test_another_model_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "checkpoint.npz"
    fit(*parts(path), epochs=1)
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    network.compile("sgd", "mse")
    before = network.get_weights()
    with pytest.raises(ValueError, match="another model"):
        EpochCheckpoint(path, SETTINGS).restore(network)
    for expected, got in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_epochs_saved_are_those_in_the_file(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.npz"
    network, checkpoint, clr = parts(path)
    savez, calls = np.savez, []

    def stopped_in_the_third(*args, **kwargs):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        savez(*args, **kwargs)

    monkeypatch.setattr(np, "savez", stopped_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        fit(network, checkpoint, clr, epochs=5)
    resumed, again, _ = parts(path)
    assert checkpoint.epochs_saved == again.restore(resumed) == again.epochs_saved == 2


def test_discard_removes_the_file(tmp_path):
    path = tmp_path / "checkpoint.npz"
    network, checkpoint, clr = parts(path)
    fit(network, checkpoint, clr, epochs=1)
    checkpoint.discard()
    checkpoint.discard()
    assert list(tmp_path.iterdir()) == []


def test_killed_process_leaves_a_whole_checkpoint(tmp_path):
    path = tmp_path / "checkpoint.npz"
    script = textwrap.dedent(
        """
        import sys
        import keras, numpy as np
        from pyimagesearch_lr.pipeline.checkpoint import EpochCheckpoint
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(400), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        x = np.ones((8, 4))
        model.fit(x, x[:, 0], epochs=100_000, verbose=0, callbacks=[EpochCheckpoint(sys.argv[1], {})])
        """
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(path)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not path.exists() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.01)
        time.sleep(0.3)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    saved = checkpoint_file.load(path)  # the one before it, if the kill came between the two renames
    counts = [int(array) for array in saved.variables if array.dtype == np.int64 and array.ndim == 0]
    assert saved.epochs_done >= 1
    assert saved.epochs_done in counts
