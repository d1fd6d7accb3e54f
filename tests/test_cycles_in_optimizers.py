"""The rates of `CyclicLR` and `OneCycleLR` inside the compiled step, saved with the model."""

import functools
import json
import os
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from models import data, model
from one_weight import fit_one_weight, one_weight

from pyimagesearch_lr.cycles import CyclicalLearningRate, CyclicLR, OneCycleLearningRate, OneCycleLR

CASES = {
    "asymmetric": {"step_size_down": 12, "cycle_decay": 0.9},
    "asymmetric, of half waves": {"step_size_down": 12, "anneal": "cos"},
    "triangular": {},
    "triangular2": {"mode": "triangular2"},
    "exp_range": {"mode": "exp_range", "gamma": 0.999},
    "growing": {"cycle_mult": 2, "cycle_decay": 0.9},
    "growing a little": {"cycle_mult": 1.1, "mode": "triangular2"},
    "warming up": {"warmup_steps": 10, "step_size_down": 3},
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
    [
        {},
        {"anneal": "linear"},
        {"three_phase": True},
        {"flat_start": 0.25, "pct_start": 0.0},
        {"warmup_steps": 10},
        {"final_div_factor": float("inf")},
    ],
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


@pytest.mark.parametrize("t_mul", [1.0, 2.0, 1.5])
@pytest.mark.parametrize("m_mul", [1.0, 0.5])
def test_restarts_are_those_of_keras(t_mul, m_mul):
    theirs = keras.optimizers.schedules.CosineDecayRestarts(0.5, 10, t_mul=t_mul, m_mul=m_mul)
    ours = CyclicalLearningRate(
        0, 0.5, 0, step_size_down=10, anneal="cos", cycle_mult=t_mul, cycle_decay=m_mul
    )
    steps = [step for step in range(200) if step not in (25, 47)]  # where float32 has Keras a step late
    expected = [float(theirs(step)) for step in steps]
    np.testing.assert_allclose([float(ours(step)) for step in steps], expected, atol=2e-6)


def test_one_cycle_of_infinite_final_div_factor_trains_its_last_step_at_0():
    network = one_weight(keras.optimizers.SGD(OneCycleLearningRate(1.0, 4, final_div_factor=float("inf"))))
    weights = [fit_one_weight(network, [], steps=1) for _ in range(5)]
    assert weights[3] == weights[4] == weights[2]
    assert weights[2] > weights[1]


LOADING = {
    "keras before": "import keras; from pyimagesearch_lr import {name}",
    "keras after": "from pyimagesearch_lr import {name}; import keras",
    "keras between": "import pyimagesearch_lr, keras; from pyimagesearch_lr import {name}",
    "another way": "import keras, pyimagesearch_lr as lr; lr.{name}",
}


@pytest.mark.parametrize(
    "order, ending",
    [
        pytest.param(order, ending, marks=() if (i + j) % 2 == 0 else pytest.mark.slow)
        for i, order in enumerate(LOADING)
        for j, ending in enumerate(("keras", "h5"))
    ],
)
def test_saved_model_loads_in_another_process_after_one_import_in_whatever_order(order, ending, tmp_path):
    schedule = OneCycleLearningRate(0.05, 9) if ending == "keras" else CyclicalLearningRate(0.01, 0.05, 4)
    network = one_weight(keras.optimizers.SGD(schedule))
    fit_one_weight(network, [], steps=3)
    save(network, tmp_path / f"model.{ending}")
    load = LOADING[order].format(name=type(schedule).__name__)
    code = f"{load}; print(float(keras.models.load_model('model.{ending}').optimizer.learning_rate))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert float(run.stdout) == pytest.approx(float(schedule(3)))


def save(network, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras's own, of the legacy format
        network.save(path)


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize(
    "make",
    [
        lambda steps: CyclicalLearningRate(np.float32(0.25), np.float64(0.5), step_size=steps, cycle_mult=2),
        lambda steps: CyclicalLearningRate(keras.ops.convert_to_tensor(0.25), 0.5, 4, warmup_steps=steps),
        lambda steps: OneCycleLearningRate(0.5, steps, final_div_factor=float("inf")),
        lambda steps: OneCycleLearningRate(np.array(0.5), steps, warmup_steps=np.int32(2)),
    ],
)
def test_settings_that_are_tensors_or_numpys_are_saved(make, ending, tmp_path):
    batches = tf.data.Dataset.range(32).batch(8)
    schedule = make(batches.cardinality() * 3)
    network = one_weight(keras.optimizers.SGD(schedule))
    fit_one_weight(network, [])
    save(network, tmp_path / f"model.{ending}")
    loaded = keras.models.load_model(tmp_path / f"model.{ending}")
    assert float(loaded.optimizer.learning_rate) == float(network.optimizer.learning_rate)
    config = json.loads(json.dumps(schedule.get_config()))
    assert type(schedule).from_config(config).preview(20).tolist() == schedule.preview(20).tolist()


class Registered:
    """A scale that has a number and no name."""

    def __init__(self, base):
        self.base = base

    def __call__(self, cycle):
        return self.base ** (1 - cycle)


class NotRegistered(Registered):
    """The same, of which Keras knows nothing."""


@keras.saving.register_keras_serializable("tests")
class Savable(Registered):
    """The same, that Keras can save."""

    def get_config(self):
        return {"base": self.base}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@pytest.mark.parametrize(
    "scale_fn", [NotRegistered(3.0), functools.partial(pow, 0.5)], ids=["object", "partial"]
)
def test_callable_object_works_and_says_when_saving_that_it_cannot_be_saved(scale_fn, tmp_path):
    schedule = CyclicalLearningRate(0.0, 9.0, 1, scale_fn=scale_fn)
    assert float(schedule(1)) == pytest.approx(9.0 * scale_fn(1.0))
    assert float(schedule(3)) == pytest.approx(9.0 * scale_fn(2.0))
    with pytest.raises(ValueError, match=r"`CyclicalLearningRate`: its `scale_fn` cannot be saved"):
        one_weight(keras.optimizers.SGD(schedule)).save(tmp_path / "model.keras")


def test_callable_object_of_a_registered_class_is_saved_and_loaded(tmp_path):
    network = one_weight(keras.optimizers.SGD(CyclicalLearningRate(0.0, 9.0, 1, scale_fn=Savable(3.0))))
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    config = loaded.optimizer.get_config()["learning_rate"]["config"]
    assert CyclicalLearningRate.from_config(config).preview(4).tolist() == [0, 9, 0, 3]


def test_config_of_0_1_is_read():
    config = {"base_lr": 0.25, "max_lr": 0.5, "step_size": 2, "mode": "triangular", "gamma": 1.0}
    assert CyclicalLearningRate.from_config({**config, "name": "old"}).preview(3).tolist() == [
        0.25,
        0.375,
        0.5,
    ]


@keras.saving.register_keras_serializable("tests")
def thirds(cycle):
    return 3.0 ** (1 - cycle)


def test_registered_scale_fn_is_saved_and_loaded(tmp_path):
    network = model(keras.optimizers.SGD(CyclicalLearningRate(0.01, 0.05, 1, scale_fn=thirds)))
    network.save(tmp_path / "model.keras")
    config = keras.models.load_model(tmp_path / "model.keras").optimizer.get_config()["learning_rate"][
        "config"
    ]
    schedule = CyclicalLearningRate.from_config(config)
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
        ({"base_lr": 0.5}, "`base_lr` must be at least 0 and less than"),
        ({"step_size": -1}, "`step_size` must be a finite number of at least 0"),
        ({"mode": "sine"}, "`mode` must be one of"),
        ({"scale_mode": "epoch"}, "`scale_mode` must be one of"),
        ({"step_size_down": 0}, "`step_size_down` must be a finite number above 0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=f"`CyclicalLearningRate`: {message}"):
        CyclicalLearningRate(**{"base_lr": 0.1, "max_lr": 0.5, "step_size": 4, **arguments})


def test_one_cycle_of_bad_arguments():
    with pytest.raises(ValueError, match="`OneCycleLearningRate`: `total_steps` must be a whole number"):
        OneCycleLearningRate(0.1, 1.5)
