"""`FusedBatchNormalization` against Keras's own layer: outputs, gradients, statistics, saving."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from pyimagesearch_lr.layers import FusedBatchNormalization


def _pair(shape, seed=0, **kwargs):
    """Keras's layer and ours with the same random parameters, and an input."""
    rng = np.random.default_rng(seed)
    layers = keras.layers.BatchNormalization(**kwargs), FusedBatchNormalization(**kwargs)
    for layer in layers:
        layer.build(shape)
    values = [rng.uniform(0.5, 1.5, weight.shape).astype("float32") for weight in layers[0].weights]
    for layer in layers:
        layer.set_weights(values)
    return (*layers, rng.normal(2.0, 3.0, shape).astype("float32"))


@pytest.mark.parametrize("shape", [(8, 7, 7, 5), (4, 32, 32, 96), (3, 1, 2, 1)])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "kwargs", [{}, {"scale": False}, {"center": False}, {"momentum": 0.5, "epsilon": 0.1}]
)
def test_outputs_gradients_and_statistics_equal_keras(shape, training, kwargs):
    reference, ours, x = _pair(shape, **kwargs)
    results = []
    for layer in (reference, ours):
        inputs = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=training)
            loss = tf.reduce_sum(outputs * tf.sin(tf.range(tf.size(x), dtype="float32") % 7)[0] + outputs**3)
        sources = [inputs, *(weight.value for weight in layer.trainable_weights)]
        results.append([outputs, *tape.gradient(loss, sources), *layer.get_weights()])
    for expected, got in zip(*results, strict=True):
        scale = np.abs(np.asarray(expected)).max() + 1e-6
        np.testing.assert_allclose(np.asarray(got) / scale, np.asarray(expected) / scale, atol=3e-5)


@pytest.mark.parametrize("shape", [(8, 5), (8, 6, 5)])
def test_other_ranks_are_left_to_keras(shape):
    reference, ours, x = _pair(shape)
    np.testing.assert_array_equal(ours(x, training=True), reference(x, training=True))
    for expected, got in zip(reference.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", ["float64", "float16", "mixed_float16", "mixed_bfloat16"])
def test_every_dtype_policy_is_served(dtype):
    layers = keras.layers.BatchNormalization(dtype=dtype), FusedBatchNormalization(dtype=dtype)
    x = keras.ops.cast(np.random.default_rng(0).normal(2.0, 3.0, (8, 6, 6, 4)), layers[0].compute_dtype)
    expected, got = (layer(x, training=True) for layer in layers)
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(keras.ops.cast(got, "float32"), keras.ops.cast(expected, "float32"), atol=0.05)


def test_channels_first_axis_is_left_to_keras():
    reference, ours, x = _pair((4, 3, 6, 6), axis=1)
    np.testing.assert_array_equal(ours(x, training=True), reference(x, training=True))


def test_frozen_layer_uses_its_moving_statistics():
    _, ours, x = _pair((4, 3, 3, 2))
    before = ours.get_weights()
    ours.trainable = False
    frozen = ours(x, training=True)
    np.testing.assert_array_equal(frozen, ours(x, training=False))
    for expected, got in zip(before, ours.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_mixed_bfloat16_keeps_statistics_in_float32():
    layer = FusedBatchNormalization(dtype="mixed_bfloat16")
    x = np.random.default_rng(0).normal(100.0, 1.0, (64, 8, 8, 3)).astype("float32")
    assert layer(x, training=True).dtype == "bfloat16"
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    rounded = tf.cast(tf.cast(x, tf.bfloat16), tf.float32)
    mean = tf.reduce_mean(rounded, axis=(0, 1, 2))
    np.testing.assert_allclose(layer.moving_mean, 0.01 * mean, rtol=1e-5)


def test_model_with_the_layer_saves_and_loads(tmp_path):
    model = keras.Sequential([keras.Input((6, 6, 2)), FusedBatchNormalization(), keras.layers.Flatten()])
    x = np.random.default_rng(0).normal(size=(4, 6, 6, 2)).astype("float32")
    model(x, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(x), model(x))


@pytest.mark.skipif(
    "renorm" not in inspect.signature(keras.layers.BatchNormalization).parameters, reason="new in Keras"
)
def test_renormalised_statistics_are_the_parents():
    x = np.random.default_rng(0).normal(2, 3, size=(8, 4, 4, 3)).astype("float32")
    layers = [kind(renorm=True) for kind in (FusedBatchNormalization, keras.layers.BatchNormalization)]
    for _ in range(3):
        got, expected = (np.array(layer(x, training=True)) for layer in layers)
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    for mine, parents in zip(*(layer.variables for layer in layers), strict=True):
        np.testing.assert_allclose(mine.numpy(), parents.numpy(), rtol=1e-5, atol=1e-6)
