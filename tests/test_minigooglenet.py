"""MiniGoogLeNet: the published network, layer by layer, with its size worked out by hand."""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np
import pytest
from keras import layers

from pyimagesearch_lr.minigooglenet import MiniGoogLeNet


class ConvModule(NamedTuple):
    """A convolution module of the paper's figure, its input channels, and its parameters."""

    size: int
    channels: int
    filters: int
    conv: int  # size * size * channels * filters weights, and a bias a filter
    norm: int  # scale, offset, moving mean and moving variance of every filter


CONV_MODULES = [
    ConvModule(3, 1, 96, 960, 384),
    # inception (32, 32), of 96 channels, gives 64
    ConvModule(1, 96, 32, 3_104, 128),
    ConvModule(3, 96, 32, 27_680, 128),
    # inception (32, 48), of 64 channels, gives 80
    ConvModule(1, 64, 32, 2_080, 128),
    ConvModule(3, 64, 48, 27_696, 192),
    # downsample 80, of 80 channels, gives 80 beside the 80 that are pooled
    ConvModule(3, 80, 80, 57_680, 320),
    # inception (112, 48), of 160 channels, gives 160
    ConvModule(1, 160, 112, 18_032, 448),
    ConvModule(3, 160, 48, 69_168, 192),
    # inception (96, 64), of 160 channels, gives 160
    ConvModule(1, 160, 96, 15_456, 384),
    ConvModule(3, 160, 64, 92_224, 256),
    # inception (80, 80), of 160 channels, gives 160
    ConvModule(1, 160, 80, 12_880, 320),
    ConvModule(3, 160, 80, 115_280, 320),
    # inception (48, 96), of 160 channels, gives 144
    ConvModule(1, 160, 48, 7_728, 192),
    ConvModule(3, 160, 96, 138_336, 384),
    # downsample 96, of 144 channels, gives 96 beside the 144 that are pooled
    ConvModule(3, 144, 96, 124_512, 384),
    # inception (176, 160), of 240 channels, gives 336
    ConvModule(1, 240, 176, 42_416, 704),
    ConvModule(3, 240, 160, 345_760, 640),
    # inception (176, 160), of 336 channels, gives 336
    ConvModule(1, 336, 176, 59_312, 704),
    ConvModule(3, 336, 160, 484_000, 640),
]
DENSE = 336 * 10 + 10
PARAMETERS = 1_654_522
SIDES = [32] * 5 + [15] * 9 + [7] * 5  # of the output of each convolution, in pixels


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return MiniGoogLeNet.build(width=32, height=32, depth=1, classes=10)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).random((4, 32, 32, 1), dtype=np.float32)


def of_type(model: keras.Model, kind: type) -> list[keras.Layer]:
    return [layer for layer in model.layers if isinstance(layer, kind)]


def producers(model: keras.Model, layer: keras.Layer) -> list[keras.Layer]:
    """The layers whose outputs are the inputs of `layer`, in their order."""
    by_output = {id(each.output): each for each in model.layers}
    inputs = layer.input if isinstance(layer.input, list) else [layer.input]
    return [by_output[id(tensor)] for tensor in inputs]


def conv_module_of(model: keras.Model, activation: keras.Layer) -> keras.layers.Conv2D:
    """The convolution at the start of the convolution module that ends with `activation`."""
    assert activation.activation is keras.activations.relu
    (norm,) = producers(model, activation)
    assert isinstance(norm, layers.BatchNormalization)
    (conv,) = producers(model, norm)
    assert conv.activation is keras.activations.linear
    return conv


def test_every_convolution_module_has_the_published_size(model):
    convolutions, norms = of_type(model, layers.Conv2D), of_type(model, layers.BatchNormalization)
    received = [
        ConvModule(*conv.kernel.shape[1:], conv.count_params(), norm.count_params())
        for conv, norm in zip(convolutions, norms, strict=True)
    ]
    assert received == CONV_MODULES
    assert [conv.kernel.shape[0] for conv in convolutions] == [module.size for module in CONV_MODULES]


def test_parameters_are_those_worked_out_by_hand(model):
    by_hand = sum(module.conv + module.norm for module in CONV_MODULES) + DENSE
    assert by_hand == PARAMETERS
    assert model.count_params() == PARAMETERS


def test_only_moving_statistics_are_not_trained(model):
    moving = sum(2 * module.filters for module in CONV_MODULES)
    assert sum(int(np.prod(weight.shape)) for weight in model.non_trainable_weights) == moving


def test_layers_are_counted_as_in_the_figure(model):
    kinds = {
        layers.Conv2D: 19,
        layers.BatchNormalization: 19,
        layers.MaxPooling2D: 2,
        layers.AveragePooling2D: 1,
        layers.Concatenate: 10,
        layers.Dropout: 1,
        layers.Dense: 1,
        layers.Activation: 20,
    }
    assert {kind: len(of_type(model, kind)) for kind in kinds} == kinds


def test_downsampling_halves_32_to_15_to_7(model):
    shapes = [conv.output.shape[1:3] for conv in of_type(model, layers.Conv2D)]
    assert shapes == [(side, side) for side in SIDES]


def test_inception_concatenates_1x1_before_3x3(model):
    inceptions = [producers(model, layer) for layer in of_type(model, layers.Concatenate)]
    inceptions = [branches for branches in inceptions if isinstance(branches[1], layers.Activation)]
    convolutions = [[conv_module_of(model, branch) for branch in branches] for branches in inceptions]
    assert [[conv.kernel_size for conv in pair] for pair in convolutions] == [[(1, 1), (3, 3)]] * 8
    assert [tuple(conv.filters for conv in pair) for pair in convolutions] == [
        (32, 32),
        (32, 48),
        (112, 48),
        (96, 64),
        (80, 80),
        (48, 96),
        (176, 160),
        (176, 160),
    ]
    assert all(one.input is three.input for one, three in convolutions)
    assert {(conv.strides, conv.padding) for pair in convolutions for conv in pair} == {((1, 1), "same")}


def test_downsample_concatenates_convolution_before_pooling(model):
    downsamples = [producers(model, pool_user) for pool_user in of_type(model, layers.Concatenate)]
    downsamples = [pair for pair in downsamples if isinstance(pair[1], layers.MaxPooling2D)]
    assert len(downsamples) == 2
    for activation, pool in downsamples:
        conv = conv_module_of(model, activation)
        assert (conv.kernel_size, conv.strides, conv.padding) == ((3, 3), (2, 2), "valid")
        assert (pool.pool_size, pool.strides, pool.padding) == ((3, 3), (2, 2), "valid")
        assert conv.input is pool.input


def test_head_pools_drops_half_and_classifies(model):
    pool, dropout, flatten, dense, softmax = model.layers[-5:]
    assert (pool.pool_size, pool.output.shape) == ((7, 7), (None, 1, 1, 336))
    assert dropout.rate == 0.5
    assert flatten.output.shape == (None, 336)
    assert (dense.units, dense.activation) == (10, keras.activations.linear)
    assert softmax.activation is keras.activations.softmax


def test_dropout_may_be_another_share():
    model = MiniGoogLeNet.build(width=32, height=32, depth=1, classes=10, dropout=0.2)
    assert [layer.rate for layer in of_type(model, layers.Dropout)] == [0.2]


def test_for_images_of_any_size_it_is_the_same_network_at_32_pixels(model, images):
    free = MiniGoogLeNet.build(width=None, height=None, depth=1, classes=10)
    free.set_weights(model.get_weights())
    np.testing.assert_allclose(free(images), model(images), rtol=1e-4, atol=1e-6)
    assert free(images[:, :7, :7]).shape == (4, 10)


def test_outputs_are_probabilities(model, images):
    outputs = model.predict(images, verbose=0)
    assert outputs.shape == (4, 10)
    assert outputs.min() >= 0
    np.testing.assert_allclose(outputs.sum(axis=1), np.ones(4), atol=1e-6)


def test_probabilities_are_float32_under_mixed_precision(images):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        outputs = MiniGoogLeNet.build(width=32, height=32, depth=1, classes=10)(images)
    finally:
        keras.config.set_dtype_policy(before)
    assert outputs.dtype == "float32"
    np.testing.assert_allclose(np.asarray(outputs).sum(axis=1), np.ones(4), atol=1e-6)


def test_width_height_depth_and_classes_are_not_mixed_up():
    model = MiniGoogLeNet.build(width=47, height=31, depth=3, classes=5)
    assert model.input_shape == (None, 31, 47, 3)
    assert model.output_shape == (None, 5)
    # 47 -> 23 -> 11 and 31 -> 15 -> 7 pixels are pooled to one; two more channels in, five classes fewer out.
    assert model.count_params() == PARAMETERS + 2 * 9 * 96 - 5 * (336 + 1)


@pytest.mark.parametrize("side", ["width", "height"])
@pytest.mark.parametrize("size", [31, 30, 16, 7])
def test_small_images_are_pooled_over_all_that_is_left_of_them(side, size):
    model = MiniGoogLeNet.build(**{"width": 32, "height": 32, side: size}, depth=1, classes=2)
    assert model.output_shape == (None, 2)
    shape = {"width": (3, 32, size, 1), "height": (3, size, 32, 1)}[side]
    np.testing.assert_allclose(np.asarray(model(np.ones(shape, "float32"))).sum(axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("side", ["width", "height"])
def test_fewer_than_7_pixels_are_refused(side):
    with pytest.raises(ValueError, match=f"`{side}` must be None or a whole number of at least 7 pixels"):
        MiniGoogLeNet.build(**{"width": 32, "height": 32, side: 6}, depth=1, classes=2)


def test_same_seed_gives_the_same_network(images):
    networks = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        networks.append(MiniGoogLeNet.build(width=32, height=32, depth=1, classes=10).get_weights())
    first, same, other = networks
    for expected, received in zip(first, same, strict=True):
        np.testing.assert_array_equal(received, expected)
    assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_saved_network_predicts_the_same(images, tmp_path):
    model = MiniGoogLeNet.build(width=32, height=32, depth=1, classes=10)
    rng = np.random.default_rng(1)
    model.set_weights([weight + 0.01 * rng.random(weight.shape) for weight in model.get_weights()])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert [type(layer) for layer in loaded.layers] == [type(layer) for layer in model.layers]
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), model.predict(images, verbose=0))


@pytest.mark.parametrize("name", ["width", "height", "depth", "classes", "dropout"])
def test_a_wrong_argument_is_named(name):
    sizes = {"width": 32, "height": 32, "depth": 1, "classes": 10}
    with pytest.raises(
        TypeError, match=rf"`MiniGoogLeNet.build`: `{name}` must be a number. Received: {name}='a'"
    ):
        MiniGoogLeNet.build(**{**sizes, name: "a"})
    with pytest.raises(ValueError, match=f"`MiniGoogLeNet.build`: `{name}` must be .* Received: {name}=-1"):
        MiniGoogLeNet.build(**{**sizes, name: -1})
