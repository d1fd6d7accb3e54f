"""MiniGoogLeNet, the small Inception network of Zhang et al., 2017."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from pyimagesearch_lr._arguments import COUNT, SHARE_BELOW_1, optional, whole
from pyimagesearch_lr.layers import FusedBatchNormalization

OWNER = "MiniGoogLeNet.build"
LEAST_POOLED_BY_SEVEN = 31  # pixels, of which 7 are left
SIZE = optional(whole("None or a whole number of at least 7 pixels", lambda size: size >= 7))


class MiniGoogLeNet:
    """MiniGoogLeNet for small images.

    A stack of three modules. Convolution module: convolution, batch normalisation, ReLU. Inception module: a
    1x1 and a 3x3 convolution module side by side, concatenated. Downsample module: a 3x3 convolution module
    of stride 2 beside a 3x3 max pooling of stride 2, concatenated.

    Reference: Zhang, Bengio, Hardt, Recht and Vinyals, 2017, Understanding deep learning requires rethinking
    generalization, arXiv:1611.03530, figure 3.

    Example:

    >>> model = MiniGoogLeNet.build(width=32, height=32, depth=1, classes=10)
    >>> model.output_shape
    (None, 10)
    """

    @staticmethod
    def build(
        width: int | None, height: int | None, depth: int, classes: int, dropout: float = 0.5
    ) -> keras.Model:
        """Make the network, not compiled.

        Args:
            width: Int, image width in pixels, at least 7 (32 in the paper); None leaves it to each batch.
                Below 31 pixels, or with None, the last pooling covers all that is left of the image, not 7 by
                7; at 31 to 38 pixels the two are the same.
            height: Int, image height in pixels, or None, as `width`.
            depth: Int, the number of channels of an image.
            classes: Int, the number of classes.
            dropout: Float in [0, 1), the share of the last features that a training step leaves out.

        Returns:
            A functional `keras.Model` from `(batch, height, width, depth)` to softmax probabilities of shape
            `(batch, classes)`.

        Raises:
            TypeError: If an argument is not a number.
            ValueError: If one is out of its range.
        """
        width, height = (SIZE(OWNER, name, of) for name, of in (("width", width), ("height", height)))
        depth, classes = (COUNT(OWNER, name, of) for name, of in (("depth", depth), ("classes", classes)))
        dropout = SHARE_BELOW_1(OWNER, "dropout", dropout)
        inputs = keras.Input((height, width, depth))
        x = _conv(inputs, 96, 3)
        x = _inception(x, 32, 32)
        x = _inception(x, 32, 48)
        x = _downsample(x, 80)
        x = _inception(x, 112, 48)
        x = _inception(x, 96, 64)
        x = _inception(x, 80, 80)
        x = _inception(x, 48, 96)
        x = _downsample(x, 96)
        x = _inception(x, 176, 160)
        x = _inception(x, 176, 160)
        pools_by_seven = all(side is not None and side >= LEAST_POOLED_BY_SEVEN for side in (width, height))
        x = (layers.AveragePooling2D(7) if pools_by_seven else layers.GlobalAveragePooling2D(keepdims=True))(
            x
        )
        x = layers.Dropout(dropout)(x)
        x = layers.Flatten()(x)
        x = layers.Dense(classes)(x)
        outputs = layers.Activation("softmax", dtype="float32")(x)
        return keras.Model(inputs, outputs, name="minigooglenet")


def _conv(x: Any, filters: int, size: int, strides: int = 1, padding: str = "same") -> Any:
    x = layers.Conv2D(filters, size, strides=strides, padding=padding)(x)
    x = FusedBatchNormalization()(x)
    return layers.Activation("relu")(x)


def _inception(x: Any, filters_1x1: int, filters_3x3: int) -> Any:
    return layers.Concatenate()([_conv(x, filters_1x1, 1), _conv(x, filters_3x3, 3)])


def _downsample(x: Any, filters: int) -> Any:
    return layers.Concatenate()(
        [_conv(x, filters, 3, strides=2, padding="valid"), layers.MaxPooling2D(3, 2)(x)]
    )
