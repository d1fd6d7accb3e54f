"""Tiny models and data for the tests, and a picture of everything a sweep could disturb."""

import random

import keras
import numpy as np
import pytest

KERAS = tuple(int(part) for part in keras.__version__.split(".")[:2])
needs_multi_optimizer = pytest.mark.skipif(
    not hasattr(keras.optimizers, "MultiOptimizer"), reason="MultiOptimizer is new in Keras 3.15"
)
needs_none_as_target = pytest.mark.skipif(
    KERAS < (3, 12), reason="this version of Keras takes no None among the targets"
)

FEATURES, CLASSES = 6, 3


def data(samples=70, seed=0):
    """Arrays `(samples, FEATURES)` and one-hot `(samples, CLASSES)` with something to learn in them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(samples, FEATURES)).astype("float32")
    labels = (x @ rng.normal(size=(FEATURES, CLASSES))).argmax(axis=1)
    return x, np.eye(CLASSES, dtype="float32")[labels]


def model(optimizer=None, *, build=True, seed=0, dropout=0.3, **compile_kwargs):
    """A small classifier with everything that holds state: batch norm, dropout, a regulariser, metrics."""
    keras.utils.set_random_seed(seed)
    layers = [
        keras.layers.Dense(8, activation="relu", kernel_regularizer="l2"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(dropout),
        keras.layers.Dense(CLASSES, activation="softmax"),
    ]
    network = keras.Sequential(([keras.Input((FEATURES,))] if build else []) + layers)
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9) if optimizer is None else optimizer
    compile_kwargs = {"loss": "categorical_crossentropy", "metrics": ["accuracy"], **compile_kwargs}
    network.compile(optimizer=optimizer, **compile_kwargs)
    return network


def logs_of_step(network, *batch):
    """What `train_on_batch` gives of one batch alone; before Keras 3.15 it gives the mean of all so far."""
    network.reset_metrics()
    return network.train_on_batch(*batch, return_dict=True)


def state(network):
    """Copies of every variable by path, and of the attributes that `fit` touches."""
    variables = [*network.variables, *network.metrics_variables, *network.optimizer.variables]
    attributes = {
        name: vars(network).get(name)
        for name in ("history", "stop_training", "steps_per_execution", "train_step")
    }
    return {
        "variables": [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables],
        "attributes": attributes,
        "python": random.getstate(),
        "numpy": np.random.get_state()[1].tolist(),
    }


def assert_same_state(before, after):
    assert len(before["variables"]) == len(after["variables"])
    for expected, got in zip(before["variables"], after["variables"], strict=True):
        np.testing.assert_array_equal(got, expected)
    for key in ("attributes", "python", "numpy"):
        assert after[key] == before[key], key
