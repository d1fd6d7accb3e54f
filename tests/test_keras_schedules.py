"""The rates of `CyclicLR` and `OneCycleLR` inside the compiled step, saved with the model."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from models import data, model

from pyimagesearch_lr.cycles import CyclicalLearningRate, CyclicLR, OneCycleLearningRate, OneCycleLR

CASES = {
    "asymmetric": {"step_size_down": 12, "cycle_decay": 0.9},
    "asymmetric, of half waves": {"step_size_down": 12, "anneal": "cos"},
    "triangular": {},
    "triangular2": {"mode": "triangular2"},
    "exp_range": {"mode": "exp_range", "gamma": 0.999},
    "scale_fn of the cycle": {"scale_fn": lambda cycle: 1 / cycle},
    "scale_fn of the step": {"scale_fn": lambda step: 1 / (1 + step), "scale_mode": "iterations"},
}


@pytest.mark.parametrize("name", list(CASES))
def test_rates_equal_the_callbacks_far_into_training(name):
    schedule = CyclicalLearningRate(1e-4, 0.3, 7, **CASES[name])
    callback = CyclicLR(1e-4, 0.3, 7, **CASES[name])
    steps = [0, 1, 6, 7, 8, 13, 14, 15, 1000, 9_999, 100_003, 16_777_217]
    rates = [float(schedule(step)) for step in steps]
    np.testing.assert_allclose(rates, [callback.lr_at(step) for step in steps], rtol=1e-6)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"anneal": "linear"}, {"three_phase": True}, {"flat_start": 0.25, "pct_start": 0.0}],
    ids=str,
)
def test_one_cycle_rates_equal_the_callbacks_and_stay_at_the_end(arguments):
    schedule, callback = OneCycleLearningRate(0.3, 90, **arguments), OneCycleLR(0.3, 90, **arguments)
    rates = [float(schedule(step)) for step in range(95)]
    np.testing.assert_allclose(rates, callback.preview(95), rtol=1e-6)
    assert rates[-1] == rates[89] == min(rates)


def test_triangle_in_straight_lines():
    schedule = CyclicalLearningRate(0.1, 0.5, 4)
    expected = [*np.linspace(0.1, 0.5, 5), *np.linspace(0.4, 0.1, 4)]
    np.testing.assert_allclose([float(schedule(step)) for step in range(9)], expected, rtol=1e-6)


@pytest.mark.parametrize("compile_kwargs", [{}, {"steps_per_execution": 3}, {"jit_compile": True}])
def test_each_step_has_its_own_rate_inside_fit(compile_kwargs):
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    schedule = CyclicalLearningRate(1.0, 3.0, 2)
    network.compile(keras.optimizers.SGD(schedule), "mean_absolute_error", **compile_kwargs)
    network.set_weights([np.array([[0.0]])])
    network.fit(np.ones((6, 1)), np.full((6, 1), 100.0), batch_size=1, verbose=0)
    # The gradient of |100 - w| is -1 below 100, so each step adds exactly its rate to w.
    assert network.get_weights()[0].item() == 1 + 2 + 3 + 2 + 1 + 2


def test_saved_model_loads_with_no_custom_objects_and_goes_on_in_mid_cycle(tmp_path):
    x, y = data(48)
    network = model(keras.optimizers.SGD(CyclicalLearningRate(0.01, 0.05, 4, mode="triangular2")))
    network.fit(x, y, batch_size=16, verbose=0)
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert float(loaded.optimizer.learning_rate) == pytest.approx(0.04)
    config = loaded.optimizer.get_config()["learning_rate"]["config"]
    assert (config["mode"], config["step_size"]) == ("triangular2", 4)


@pytest.mark.parametrize("schedule", [CyclicalLearningRate(0.01, 0.05, 4), OneCycleLearningRate(0.05, 9)])
def test_saved_model_loads_in_another_process_after_nothing_but_the_packages_import(schedule, tmp_path):
    network = model(keras.optimizers.SGD(schedule))
    network.fit(*data(48), batch_size=16, verbose=0)
    network.save(tmp_path / "model.keras")
    load = "import keras, pyimagesearch_lr; network = keras.models.load_model('model.keras')"
    code = f"{load}; print(float(network.optimizer.learning_rate))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(run.stdout) == pytest.approx(float(schedule(3)))


@keras.saving.register_keras_serializable("tests")
def thirds(cycle):
    return 3.0 ** (1 - cycle)


def test_registered_scale_fn_is_saved_and_loaded(tmp_path):
    network = model(keras.optimizers.SGD(CyclicalLearningRate(0.01, 0.05, 1, scale_fn=thirds)))
    network.save(tmp_path / "model.keras")
    schedule = keras.models.load_model(tmp_path / "model.keras").optimizer._learning_rate
    assert schedule.scale_fn is thirds
    np.testing.assert_allclose(schedule.preview(4), [0.01, 0.05, 0.01, 0.01 + 0.04 / 3])


def test_scale_fn_that_is_not_registered_says_when_saving_that_it_cannot_be_saved(tmp_path):
    network = model(
        keras.optimizers.SGD(CyclicalLearningRate(0.01, 0.05, 4, scale_fn=lambda cycle: 1 / cycle))
    )
    message = r"`CyclicalLearningRate`: its `scale_fn` cannot be saved.*register_keras_serializable"
    with pytest.raises(ValueError, match=message):
        network.save(tmp_path / "model.keras")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"base_lr": 0.5}, "`CyclicalLearningRate`: `base_lr` must be at least 0 and less than"),
        ({"step_size": -1}, "`step_size` must be above 0"),
        ({"mode": "sine"}, "`mode` must be one of"),
        ({"scale_mode": "epoch"}, "`scale_mode` must be one of"),
        ({"step_size_down": 0}, "`step_size_down` must be above 0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        CyclicalLearningRate(**{"base_lr": 0.1, "max_lr": 0.5, "step_size": 4, **arguments})


def test_one_cycle_of_bad_arguments():
    with pytest.raises(ValueError, match="`OneCycleLearningRate`: `total_steps` must be a whole number"):
        OneCycleLearningRate(0.1, 1.5)
