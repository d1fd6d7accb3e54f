"""Raw losses of many sweeps at once: a network with one hidden layer, trained in NumPy along a ramp."""

from __future__ import annotations

import numpy as np

FEATURES, HIDDEN, SAMPLES = 20, 32, 2048


def _data(rng: np.random.Generator, sweeps: int, task: str) -> tuple[np.ndarray, np.ndarray]:
    x = rng.normal(size=(sweeps, SAMPLES, FEATURES))
    if task == "regression":
        weights = rng.normal(size=(sweeps, FEATURES, 1)) / np.sqrt(FEATURES)
        return x, np.tanh(x @ weights) + 0.1 * rng.normal(size=(sweeps, SAMPLES, 1))
    share = {"rare": 0.02, "balanced": 0.5}[task]
    y = (rng.random((sweeps, SAMPLES, 1)) < share).astype(float)
    return x + y, y


def _loss_and_slope(task: str, output: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The loss of each sweep's batch, and its gradient by the outputs."""
    if task == "regression":
        return ((output - y) ** 2).mean((1, 2)), 2 * (output - y) / y.shape[1]
    losses = np.maximum(output, 0) - output * y + np.log1p(np.exp(-np.abs(output)))
    return losses.mean((1, 2)), (1 / (1 + np.exp(-output)) - y) / y.shape[1]


def raw_losses(
    task: str, lrs: np.ndarray, batch_size: int, optimizer: str, sweeps: int, seed: int = 0
) -> np.ndarray:
    """The loss of every step of every sweep, shape `(sweeps, steps)`.

    Args:
        task: "rare" (binary, 2 % positives, the bias at their share as for any data with a rare class),
            "balanced" (binary) or "regression".
        lrs: The rate of each step.
        batch_size: Int.
        optimizer: "sgd" or "adam".
        sweeps: Int, how many, each with data and weights of its own.
        seed: Int.
    """
    rng = np.random.default_rng(seed)
    x, y = _data(rng, sweeps, task)
    weights = [
        rng.normal(size=(sweeps, FEATURES, HIDDEN)) * np.sqrt(2 / FEATURES),
        np.zeros((sweeps, 1, HIDDEN)),
        rng.normal(size=(sweeps, HIDDEN, 1)) * (0.02 if task == "rare" else np.sqrt(1 / HIDDEN)),
        np.full((sweeps, 1, 1), np.log(0.02 / 0.98) if task == "rare" else 0.0),
    ]
    first, second = ([np.zeros_like(weight) for weight in weights] for _ in range(2))
    recorded = []
    with np.errstate(all="ignore"):
        for step, lr in enumerate(lrs, 1):
            rows = np.arange(sweeps)[:, None], rng.integers(0, SAMPLES, (sweeps, batch_size))
            before = x[rows] @ weights[0] + weights[1]
            hidden = np.maximum(before, 0)
            losses, slope = _loss_and_slope(task, hidden @ weights[2] + weights[3], y[rows])
            recorded.append(losses)
            back = (slope @ weights[2].transpose(0, 2, 1)) * (before > 0)
            gradients = [
                x[rows].transpose(0, 2, 1) @ back,
                back.sum(1, keepdims=True),
                hidden.transpose(0, 2, 1) @ slope,
                slope.sum(1, keepdims=True),
            ]
            for i, gradient in enumerate(gradients):
                change = gradient
                if optimizer == "adam":
                    first[i] = 0.9 * first[i] + 0.1 * gradient
                    second[i] = 0.999 * second[i] + 0.001 * gradient**2
                    scale = np.sqrt(second[i] / (1 - 0.999**step)) + 1e-7
                    change = first[i] / (1 - 0.9**step) / scale
                weights[i] = weights[i] - lr * change
    return np.array(recorded).T
