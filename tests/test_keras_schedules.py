"""`CyclicalLearningRate`: the rates of `CyclicLR`, inside the compiled step, saved with the model."""

import keras
import numpy as np
import pytest
from models import data, model

from pyimagesearch_lr.callbacks import CyclicLR
from pyimagesearch_lr.keras_schedules import CyclicalLearningRate

CASES = {
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


def test_scale_fn_says_when_saving_that_it_cannot_be_saved(tmp_path):
    schedule = CyclicalLearningRate(0.01, 0.05, 4, scale_fn=lambda cycle: 1 / cycle)
    with pytest.raises(ValueError, match="`scale_fn` cannot be saved"):
        schedule.get_config()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"base_lr": 0.5}, "`CyclicalLearningRate`: `base_lr` must be at least 0 and less than"),
        ({"step_size": -1}, "`step_size` must be above 0"),
        ({"mode": "sine"}, "`mode` must be one of"),
        ({"scale_mode": "epoch"}, "`scale_mode` must be one of"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        CyclicalLearningRate(**{"base_lr": 0.1, "max_lr": 0.5, "step_size": 4, **arguments})
