"""Keras layers that this package adds."""

from __future__ import annotations

from typing import Any

import keras

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

KERNEL_DTYPES = ("float16", "bfloat16", "float32")


@keras.saving.register_keras_serializable("pyimagesearch_lr")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` through TensorFlow's fused kernel.

    Keras 3 builds batch normalisation from many elementwise operations; on a CPU each of them is a pass over
    memory. For images of shape `(batch, height, width, channels)` this layer computes the same in one kernel
    forward and one backward. Outputs, gradients and moving statistics equal the parent's up to rounding. Any
    other input (another rank or axis, a mask, `synchronized=True`, `renorm=True`, float64, variables that are
    not float32) is left to the parent.

    Source: Ioffe and Szegedy, 2015, arXiv:1502.03167.

    Args: those of `keras.layers.BatchNormalization`.

    Example:

    >>> layer = FusedBatchNormalization()
    >>> layer(keras.ops.ones((8, 4, 4, 3)), training=True).shape
    TensorShape([8, 4, 4, 3])
    """

    def add_weight(self, *args: Any, **kwargs: Any) -> Any:
        """Keep statistics and scales in the variables' own precision: the kernel mixes precisions itself."""
        return super().add_weight(*args, **{**kwargs, "autocast": False})

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if not self._is_fusable(inputs, mask):
            return super().call(inputs, training=training, mask=mask)
        training = bool(training and self.trainable)
        ones, zeros = tf.ones_like(self.moving_mean), tf.zeros_like(self.moving_mean)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(self.gamma) if self.scale else ones,
            offset=tf.convert_to_tensor(self.beta) if self.center else zeros,
            mean=tf.convert_to_tensor(self.moving_mean),
            variance=tf.convert_to_tensor(self.moving_variance),
            epsilon=self.epsilon,
            exponential_avg_factor=1.0,
            is_training=training,
        )
        if training:
            self._update_moving_statistics(inputs, mean, variance)
        return outputs

    def _is_fusable(self, inputs: Any, mask: Any) -> bool:
        if keras.backend.backend() != "tensorflow":
            return False
        last_axis = len(inputs.shape) == 4 and self.axis in (-1, 3)
        is_served = keras.backend.standardize_dtype(inputs.dtype) in KERNEL_DTYPES
        is_served = is_served and self.variable_dtype == "float32"
        is_plain = not (self.synchronized or getattr(self, "renorm", False))  # older Keras has no `renorm`
        return last_axis and is_served and mask is None and is_plain

    def _update_moving_statistics(self, inputs: Any, mean: Any, variance: Any) -> None:
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), variance.dtype)
        biased = variance * (count - 1) / count
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, biased)):
            moving.assign(moving * self.momentum + value * (1.0 - self.momentum))
