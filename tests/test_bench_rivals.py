"""The rivals of the benchmark of suggestions: each against the same written plainly in NumPy."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
CURVES = np.array([4.0, 1.0, 0.25, 0.0625, 0.0], "float32")
FIRST = np.array([1.0, -2.0, 0.5, 3.0, 1.0], "float32")
STEPS = 90


@pytest.fixture(autouse=True)
def scripts_on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "benchmarks"))


# ---- forecasts


def test_forecast_of_losses_that_have_settled_is_where_they_settled():
    from suggestion_rivals import forecast

    assert forecast(np.full(100, 0.7), 1000) == pytest.approx(0.7)


def test_forecast_leaves_out_the_leaps_of_the_first_half():
    from suggestion_rivals import forecast

    losses = 0.5 + 2 * np.exp(-0.02 * np.arange(100))
    leaping = losses + 40 * np.isin(np.arange(100), (10, 20, 30))
    assert forecast(leaping, 1000) == pytest.approx(forecast(losses, 1000), abs=0.02)


@pytest.mark.parametrize("losses", [[2.0, np.nan], [2.0, np.inf], [2.0, 1.0, 1e6, 3.0], [0.1, 11.0]])
def test_losses_that_leap_have_diverged(losses):
    from suggestion_rivals import diverged

    assert diverged(np.array(losses))


@pytest.mark.parametrize("losses", [[2.0, 19.0, 1.0], [0.1, 9.0], [-0.01, -0.9], [0.01, -0.9]])
def test_losses_that_rise_a_little_have_not_diverged(losses):
    from suggestion_rivals import diverged

    assert not diverged(np.array(losses))


# ---- curvature


@pytest.fixture(scope="module")
def tiny():
    """A model whose Hessian fits on a page, and a batch."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    rng = np.random.default_rng(0)
    return (
        model,
        tf.constant(rng.normal(size=(32, 3)), tf.float32),
        tf.constant(rng.normal(size=(32, 1)), tf.float32),
    )


def dense_hessian(model, x, y) -> np.ndarray:
    """From central differences of the gradient, weight by weight, for `tanh` between two dense layers."""
    values = [weight.astype("float64") for weight in model.get_weights()]
    x, y = np.asarray(x, "float64"), np.asarray(y, "float64")

    def gradient(flat: np.ndarray) -> np.ndarray:
        parts = np.split(flat, np.cumsum([value.size for value in values])[:-1])
        w1, b1, w2, b2 = (part.reshape(value.shape) for part, value in zip(parts, values, strict=True))
        hidden = np.tanh(x @ w1 + b1)
        error = 2 * (hidden @ w2 + b2 - y) / len(x)
        back = (error @ w2.T) * (1 - hidden**2)
        parts = (x.T @ back, back.sum(axis=0), hidden.T @ error, error.sum(axis=0))
        return np.concatenate([part.ravel() for part in parts])

    center = np.concatenate([value.ravel() for value in values])
    moves = 1e-5 * np.eye(len(center))
    return np.array([(gradient(center + move) - gradient(center - move)) / 2e-5 for move in moves])


@pytest.mark.parametrize("preconditioned", [False, True])
@pytest.mark.parametrize("sign", [1, -1])  # upside down, negative eigenvalues are larger in size
def test_lanczos_iteration_finds_the_largest_eigenvalue_of_the_hessian(tiny, sign, preconditioned):
    from suggestion_rivals import projection_function

    model, x, y = tiny
    hessian = sign * dense_hessian(model, x, y)
    rng = np.random.default_rng(1)
    scale = rng.uniform(0.5, 5, len(hessian)) if preconditioned else np.ones(len(hessian))
    expected = np.linalg.eigvalsh(scale[:, None] * hessian * scale)
    assert (expected[-1] < -expected[0]) == (sign == -1)
    model.compile(loss=lambda y, predicted: sign * (y - predicted) ** 2)
    vector = rng.normal(size=len(hessian)).astype("float32")
    projected = projection_function(model)(x, y, vector, scale.astype("float32"))
    assert np.linalg.eigvalsh(projected)[-1] == pytest.approx(expected[-1], rel=1e-3)


def growth(rate: float, curve: float, **settings) -> float:
    """How far from the minimum of a parabola Keras's SGD is after 60 steps from 1."""
    import keras

    optimizer, weight = keras.optimizers.SGD(rate, **settings), keras.Variable(1.0)
    for _ in range(60):
        optimizer.apply([curve * weight], [weight])
    return abs(float(weight))


@pytest.mark.parametrize("settings", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}])
def test_sgd_diverges_above_the_highest_stable_rate_and_not_below(settings):
    import keras
    from suggestion_rivals import highest_stable

    rate = highest_stable(keras.optimizers.SGD(**settings), 5.0)
    assert growth(0.98 * rate, 5.0, **settings) < 1 < growth(1.02 * rate, 5.0, **settings)


def test_adam_is_stable_up_to_38_over_the_eigenvalue():
    import keras
    from suggestion_rivals import highest_stable

    assert highest_stable(keras.optimizers.AdamW(), 2.0) == pytest.approx(19)
    assert highest_stable(keras.optimizers.RMSprop(), 2.0) == pytest.approx(1)


# ---- no rate to choose


def trained(method: str) -> np.ndarray:
    """The result on a quadratic whose minimum is 0."""
    import suggestion_rivals
    import tensorflow as tf

    learner = suggestion_rivals.RATE_FREE[method](len(FIRST))

    @tf.function
    def train(x):
        learner.start(x)
        for step in tf.range(STEPS):
            x = learner.step(x, tf.constant(CURVES, tf.float32) * x, tf.cast(step / STEPS, tf.float32))
        return learner.result(x)

    return [train(tf.constant(FIRST, tf.float32)).numpy() for _ in range(2)]


def prodigy() -> np.ndarray:
    x, d, r, s, m, v = FIRST, 1e-6, 0.0, 0.0, 0.0, 0.0
    for k in range(STEPS):
        g, gamma, root = CURVES * x, (1 + math.cos(math.pi * k / STEPS)) / 2, math.sqrt(0.999)
        m = 0.9 * m + 0.1 * d * g
        v = 0.999 * v + 0.001 * d * d * g * g
        r = root * r + (1 - root) * gamma * d * d * np.dot(g, FIRST - x)
        s = root * s + (1 - root) * gamma * d * d * g
        d, last = max(d, r / np.abs(s).sum()), d
        x = x - gamma * last * m / (np.sqrt(v) + last * 1e-8)
    return x


def dog() -> np.ndarray:
    xs, squares = [FIRST], 1e-8
    average = FIRST
    for t in range(1, STEPS + 1):
        g = CURVES * xs[-1]
        squares += np.dot(g, g)
        reach = max([1e-6 * (1 + np.linalg.norm(FIRST)), *(np.linalg.norm(x - FIRST) for x in xs)])
        xs.append(xs[-1] - reach / np.sqrt(squares) * g)
        average = (1 - 9 / (t + 8)) * average + 9 / (t + 8) * xs[-1]
    return average


def schedule_free(beta_1: float) -> np.ndarray:
    z = x = FIRST
    v = 0.0
    zs = []
    for t in range(1, STEPS + 1):
        g = CURVES * ((1 - beta_1) * z + beta_1 * x)
        v = 0.999 * v + 0.001 * g * g
        z = z - 0.0025 * g / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        zs.append(z)
        x = np.mean(zs, axis=0)
    return x


METHODS = {
    "Prodigy": prodigy,
    "DoG": dog,
    "Schedule-Free": partial(schedule_free, 0.9),
    "ScheduleFreeAdamW": partial(schedule_free, 1.0),  # Keras on TensorFlow: gradients at the average itself
}


@pytest.mark.parametrize(("method", "plain"), METHODS.items())
def test_method_without_a_rate_gives_what_is_said_of_it_each_time_it_starts(method, plain):
    if method == "ScheduleFreeAdamW" and not hasattr(keras.optimizers, method):
        pytest.skip("this Keras has no ScheduleFreeAdamW")
    first, second = trained(method)
    assert np.linalg.norm(first) < 0.97 * np.linalg.norm(FIRST)
    assert first == pytest.approx(plain(), rel=1e-3, abs=2e-4)
    assert (first == second).all()
