"""Rivals of a sweep that suggestions.py measures by training: forecasts, curvature, and no rate to choose.

Written from the papers that each names. Each part is a function `(trainer, record) -> rows` for `PARTS`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf
from keras import optimizers
from measuring import rounded
from scipy.interpolate import UnivariateSpline
from scipy.optimize import fmin

if TYPE_CHECKING:
    from collect_suggestions import Trainer

SEEDS = range(5)
ORDER = 2  # neither the order of the response's rows nor that of the probes'
CONSTANT_SEEDS = range(2)
CONSTANT_RATES = 10
CONSTANT_STEPS = 100
OUTLIERS, OUTLIER_ROUNDS, SPLINE_DEGREE = 0.03, 10, 2
CURVATURE_ROWS = 512
ITERATIONS = 20
MOMENT_BATCHES, BETA_2, EPSILON = 20, 0.999, 1e-7
LIKE_ADAM = (optimizers.Adam, optimizers.Nadam, optimizers.Adamax)


# ---- forecasts


def constants(trainer: Trainer, record: dict) -> list[dict]:
    """The first stage of AutoLRS: short trainings at constant rates, and the loss that is forecast for each.

    AutoLRS trains 100 steps at each of ten rates, forecasts the training loss at ten times as many steps and
    continues with the rate whose forecast is lowest. Its rates come one by one from Bayesian optimisation;
    here they are ten even ones. Its later stages, the same in the middle of the training, are left out. A
    training that diverged has no forecast, because that of a loss that leaps and falls back can be the
    lowest.

    Source: Jin et al., ICLR 2021, arXiv:2105.10762.
    """
    rows = []
    for rate in np.geomspace(*trainer.task.rates, CONSTANT_RATES):
        for seed in CONSTANT_SEEDS:
            order = trainer.order(CONSTANT_STEPS, seed, ORDER)
            losses = trainer.train(seed, np.full(CONSTANT_STEPS, rate), order)
            loss = np.nan if diverged(losses) else forecast(losses, 10 * CONSTANT_STEPS)
            rows.append({"max_lr": rounded(rate), "seed": seed, "forecast": _finite(loss)})
    return rows


def diverged(losses: np.ndarray) -> bool:
    """Whether a loss is not finite, or is ten times as high as the first (as 1, where that is lower)."""
    return not bool(np.max(losses) < 10 * max(abs(losses[0]), 1.0))


def forecast(losses: np.ndarray, step: int) -> float:
    """The loss at a later step: `L(t) = a exp(b t) + c`, where b < 0.

    Fitted by least squares to a smoothing spline through the losses without outliers: `a` and `c` in closed
    form, `b` by the simplex method in `log(-b)` from `b = -1`.
    """
    steps = np.arange(len(losses))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of losses so large that the spline stays rough
        smooth = UnivariateSpline(*_without_outliers(losses), k=SPLINE_DEGREE)(steps)

    def basis(t: np.ndarray, logarithm: float) -> np.ndarray:
        return np.stack([np.exp(-np.exp(logarithm) * t), np.ones(np.shape(t))], axis=-1)

    def factors(logarithm: float) -> np.ndarray:
        return np.linalg.lstsq(basis(steps, logarithm), smooth, rcond=None)[0]

    def error(logarithm: np.ndarray) -> float:
        return np.sum((basis(steps, logarithm[0]) @ factors(logarithm[0]) - smooth) ** 2)

    best = fmin(error, 0.0, xtol=1e-5, ftol=1e-5, disp=False)[0]
    return float(basis(step, best) @ factors(best))


def _without_outliers(losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ten times, those of the first half leave that are among the 3 % farthest from the spline."""
    steps, losses = np.arange(len(losses)), np.asarray(losses, "float64")
    half = (len(losses) - 1) // 2
    for _ in range(OUTLIER_ROUNDS):
        distances = np.abs(losses - UnivariateSpline(steps, losses, k=SPLINE_DEGREE)(steps))
        farthest = np.argsort(distances, kind="stable")[-round(OUTLIERS * len(losses)) :]
        leaving = farthest[farthest < half]
        steps, losses = np.delete(steps, leaving), np.delete(losses, leaving)
    return steps, losses


# ---- curvature


def curvature(trainer: Trainer, record: dict) -> list[dict]:
    """The highest rate that is stable in the loss as it curves at the initial weights.

    Sources: Cohen et al., 2021, arXiv:2103.00065; Cohen et al., 2022, arXiv:2207.14484.
    """
    data, optimizer = trainer.data, trainer.task.optimizer()
    project, moment = projection_function(trainer.model), _moment_function(trainer)
    count = min(CURVATURE_ROWS, len(data.x))
    rows = []
    for seed in SEEDS:
        trainer.start(seed)
        scale = tf.ones_like(_flat(trainer.model.trainable_variables))
        if not isinstance(optimizer, optimizers.SGD):
            order = tf.constant(trainer.order(MOMENT_BATCHES, seed, ORDER), tf.int32)
            scale = tf.math.rsqrt(tf.sqrt(moment(order)) + EPSILON)
            trainer.start(seed)
        batch = trainer.order(-(-count // trainer.task.batch_size), seed, ORDER).ravel()[:count]
        vector = np.random.default_rng((seed, ORDER)).normal(size=scale.shape).astype("float32")
        hessian = project(tf.constant(data.x[batch]), tf.constant(data.y[batch]), vector, scale).numpy()
        value = np.linalg.eigvalsh(hessian).max() if np.isfinite(hessian).all() else np.nan
        rate = highest_stable(optimizer, value) if value > 0 else np.nan
        rows.append({"seed": seed, "max_lr": _finite(rate), "eigenvalue": rounded(value)})
        trainer.start(seed)
    return rows


def highest_stable(optimizer: optimizers.Optimizer, eigenvalue: float) -> float:
    """The rate above which steps along the eigenvector grow.

    `2 (1 + momentum) / eigenvalue` for SGD, that over `1 + 2 momentum` if it is Nesterov's. For Adam and its
    kin `2 (1 + beta_1) / (1 - beta_1)`, 38 for 0.9, over the eigenvalue of the preconditioned Hessian. Other
    adaptive optimizers have other preconditioners and no such result: they get 2 over Adam's eigenvalue, for
    lack of anything better. Clipping and weight decay are not taken into account.
    """
    if isinstance(optimizer, optimizers.SGD):
        momentum = optimizer.momentum
        return 2 * (1 + momentum) / (1 + 2 * momentum * optimizer.nesterov) / eigenvalue
    if isinstance(optimizer, LIKE_ADAM):
        return 2 * (1 + optimizer.beta_1) / (1 - optimizer.beta_1) / eigenvalue
    return 2 / eigenvalue


def projection_function(model: keras.Model) -> Callable[..., tf.Tensor]:
    """Compiled Lanczos iteration: a matrix whose largest eigenvalue is nearly that of `S H S`.

    `H` is the Hessian of a batch's loss, in which layers draw the same random numbers each time. `S` is
    diagonal: of ones, or `D^-1/2` for a preconditioner `D`. Power iteration is often far off after as many
    products, and ends at a negative eigenvalue where that is larger in size.
    """

    @tf.function
    def project(x: tf.Tensor, y: tf.Tensor, vector: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
        states = [(variable, tf.identity(variable.value)) for variable in model.non_trainable_variables]
        basis = products = tf.zeros([ITERATIONS, vector.shape[0]])
        for row in tf.range(ITERATIONS):
            vector = _perpendicular(vector, basis)
            basis = tf.tensor_scatter_nd_update(basis, [[row]], [vector])
            for variable, state in states:
                variable.assign(state)
            with tf.GradientTape() as tape:
                slope = tf.tensordot(_gradient(model, x, y)[1], scale * vector, 1)
            vector = scale * _derivative(tape, slope, model)
            products = tf.tensor_scatter_nd_update(products, [[row]], [vector])
        return tf.matmul(basis, products, transpose_b=True)

    return project


def _perpendicular(vector: tf.Tensor, basis: tf.Tensor) -> tf.Tensor:
    """Of length 1, or 0 where the basis holds all of the vector."""
    length = tf.norm(vector)
    for _ in range(2):  # the second time for what rounding left
        vector -= tf.linalg.matvec(basis, tf.linalg.matvec(basis, vector), transpose_a=True)
    rest = tf.norm(vector)
    return tf.where(rest > 1e-4 * length, tf.math.divide_no_nan(vector, rest), tf.zeros_like(vector))


def _moment_function(trainer: Trainer) -> Callable[[tf.Tensor], tf.Tensor]:
    """Compiled: Adam's second moment, its bias corrected, of the gradients of batches at the same weights."""
    x_all, y_all = tf.constant(trainer.data.x), tf.constant(trainer.data.y)

    @tf.function
    def moment(order: tf.Tensor) -> tf.Tensor:
        second = tf.zeros_like(_flat(trainer.model.trainable_variables))
        for rows in order:
            gradient = _gradient(trainer.model, tf.gather(x_all, rows), tf.gather(y_all, rows))[1]
            second = BETA_2 * second + (1 - BETA_2) * gradient**2
        return second / (1 - BETA_2**MOMENT_BATCHES)

    return moment


# ---- no rate to choose


def rate_free(trainer: Trainer, record: dict) -> list[dict]:
    """The metric after whole trainings by methods without a rate to choose, in place of the optimizer."""
    rows = []
    for name, method in RATE_FREE.items():
        train = _training_function(trainer, method)
        for seed in SEEDS:
            trainer.start(seed)
            train(tf.constant(trainer.order(trainer.task.budget_steps, seed, ORDER), tf.int32))
            rows.append({"method": name, "seed": seed, "metric": trainer.validation()["metric"]})
    return rows


class KerasScheduleFree:
    """Keras's `ScheduleFreeAdamW` with its defaults, evaluated at the weights that it leaves in the model.

    They should be `y = (1 - beta_1) z + beta_1 x`; Keras has no way to the average `x` of the `z`, where the
    paper evaluates. On TensorFlow, though, Keras 3.15 reads the old `z` after its update, whereby `y` is the
    average itself, and gradients are those at the average, as with a `beta_1` of 1.
    """

    def __init__(self, size: int):
        self.y, self.optimizer = keras.Variable(tf.zeros(size)), optimizers.ScheduleFreeAdamW()
        self.optimizer.build([self.y])

    def start(self, x: tf.Tensor) -> None:
        self.y.assign(x)
        self.optimizer._momentums[0].assign(x)
        self.optimizer._velocities[0].assign(tf.zeros_like(x))
        self.optimizer.iterations.assign(0)

    def step(self, x: tf.Tensor, gradient: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
        self.optimizer.apply([gradient], [self.y])
        return tf.identity(self.y.value)

    def result(self, x: tf.Tensor) -> tf.Tensor:
        return x


class ScheduleFree:
    """Adam from `z`, with gradients between `z` and its average, which is the result; Keras's default rate.

    Source: Defazio et al., 2024, arXiv:2405.15682, algorithm 1 without warm-up and weight decay.
    """

    rate, beta_1, beta_2, epsilon = 0.0025, 0.9, 0.999, 1e-8

    def __init__(self, size: int):
        self.z, self.v, self.average = (tf.Variable(tf.zeros(size)) for _ in range(3))
        self.steps = tf.Variable(0.0)

    def start(self, x: tf.Tensor) -> None:
        self.z.assign(x)
        self.average.assign(x)
        self.v.assign(tf.zeros_like(x))
        self.steps.assign(0.0)

    def step(self, x: tf.Tensor, gradient: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
        steps = self.steps.assign_add(1.0)
        v = self.v.assign(self.beta_2 * self.v + (1 - self.beta_2) * gradient**2)
        v_corrected = v / (1 - self.beta_2**steps)
        z = self.z.assign_sub(self.rate * gradient / (tf.sqrt(v_corrected) + self.epsilon))
        average = self.average.assign_add((z - self.average) / steps)
        return (1 - self.beta_1) * z + self.beta_1 * average

    def result(self, x: tf.Tensor) -> tf.Tensor:
        return self.average.value()


class Prodigy:
    """Adam whose rate `d` is a lower bound of the distance to the solution, times a cosine that falls to 0.

    `d` is the highest `r / |s|_1` so far; `r` and `s` are weighted averages of `<g, x_0 - x>` and of `g`.

    Source: Mishchenko and Defazio, 2023, arXiv:2306.06101, algorithm 4.
    """

    beta_1, beta_2, epsilon, first_d = 0.9, 0.999, 1e-8, 1e-6

    def __init__(self, size: int):
        self.first, self.m, self.v, self.s = (tf.Variable(tf.zeros(size)) for _ in range(4))
        self.r, self.d = tf.Variable(0.0), tf.Variable(0.0)

    def start(self, x: tf.Tensor) -> None:
        self.first.assign(x)
        for state in (self.m, self.v, self.s, self.r):
            state.assign(tf.zeros_like(state))
        self.d.assign(self.first_d)

    def step(self, x: tf.Tensor, gradient: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
        """The next weights; `share` of the training is behind."""
        factor, d, beta_3 = 0.5 + 0.5 * tf.cos(np.pi * share), self.d.value(), self.beta_2**0.5
        m = self.m.assign(self.beta_1 * self.m + (1 - self.beta_1) * d * gradient)
        v = self.v.assign(self.beta_2 * self.v + (1 - self.beta_2) * d**2 * gradient**2)
        weighted = (1 - beta_3) * factor * d**2 * gradient
        r = self.r.assign(beta_3 * self.r + tf.tensordot(weighted, self.first - x, 1))
        s = self.s.assign(beta_3 * self.s + weighted)
        self.d.assign(tf.maximum(d, tf.math.divide_no_nan(r, tf.norm(s, 1))))
        return x - factor * d * m / (tf.sqrt(v) + d * self.epsilon)

    def result(self, x: tf.Tensor) -> tf.Tensor:
        return x


class DoG:
    """SGD whose rate is the largest distance from the start over the root of the sum of squared gradients.

    `rate_t = max(r_eps, max |x_i - x_0|) / sqrt(sum |g_i|^2 + 1e-8)` with `r_eps = 1e-6 (1 + |x_0|)`. The
    result is the polynomial-decay average `a_t = a_{t-1} + 9 / (t + 8) (x_t - a_{t-1})`. Batch normalisation
    keeps the statistics of the last weights.

    Source: Ivgi, Hinder and Carmon, 2023, arXiv:2302.12022.
    """

    first_share, epsilon, gamma = 1e-6, 1e-8, 8

    def __init__(self, size: int):
        self.first, self.average = (tf.Variable(tf.zeros(size)) for _ in range(2))
        self.distance, self.squares, self.steps = (tf.Variable(0.0) for _ in range(3))

    def start(self, x: tf.Tensor) -> None:
        self.first.assign(x)
        self.average.assign(x)
        self.distance.assign(self.first_share * (1 + tf.norm(x)))
        self.squares.assign(self.epsilon)
        self.steps.assign(0.0)

    def step(self, x: tf.Tensor, gradient: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
        distance = self.distance.assign(tf.maximum(self.distance, tf.norm(x - self.first)))
        squares = self.squares.assign_add(tf.reduce_sum(gradient**2))
        x -= distance / tf.sqrt(squares) * gradient
        weight = (1 + self.gamma) / (self.steps.assign_add(1.0) + self.gamma)
        self.average.assign_add(weight * (x - self.average))
        return x

    def result(self, x: tf.Tensor) -> tf.Tensor:
        return self.average.value()


RATE_FREE = {
    "ScheduleFreeAdamW": KerasScheduleFree,
    "Schedule-Free": ScheduleFree,
    "Prodigy": Prodigy,
    "DoG": DoG,
}


def _training_function(trainer: Trainer, method: type) -> Callable[[tf.Tensor], None]:
    """Compiled: from the model's weights to the method's result, up to the first loss that is not finite."""
    x_all, y_all = tf.constant(trainer.data.x), tf.constant(trainer.data.y)
    model = trainer.model
    learner = method(sum(int(np.prod(variable.shape)) for variable in model.trainable_variables))

    @tf.function
    def train(order: tf.Tensor) -> None:
        weights = _flat(model.trainable_variables)
        learner.start(weights)
        steps, step, loss = tf.shape(order)[0], 0, 0.0
        while step < steps and tf.math.is_finite(loss):
            x, y = tf.gather(x_all, order[step]), tf.gather(y_all, order[step])
            loss, gradient = _gradient(model, x, y)
            weights = learner.step(weights, gradient, tf.cast(step / steps, tf.float32))
            _put(weights, model.trainable_variables)
            step += 1
        _put(learner.result(weights), model.trainable_variables)

    return train


# ---- what they share


def _gradient(model: keras.Model, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The loss in training and its gradient by all weights as one vector."""
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x=x, y=y, y_pred=model(x, training=True), training=True)
        loss = tf.cast(loss, tf.float32)
    return loss, _derivative(tape, loss, model)


def _derivative(tape: tf.GradientTape, of: tf.Tensor, model: keras.Model) -> tf.Tensor:
    weights = [variable.value for variable in model.trainable_variables]
    return _flat(tape.gradient(of, weights, unconnected_gradients="zero"))


def _flat(parts: list) -> tf.Tensor:
    return tf.concat([tf.reshape(tf.convert_to_tensor(part), [-1]) for part in parts], axis=0)


def _put(flat: tf.Tensor, variables: list) -> None:
    sizes = [int(np.prod(variable.shape)) for variable in variables]
    for variable, part in zip(variables, tf.split(flat, sizes), strict=True):
        variable.assign(tf.reshape(part, variable.shape))


def _finite(value: float) -> float | str:
    """Rounded; "nan" also for infinity."""
    return rounded(value if np.isfinite(value) else np.nan)
