"""Keras optimizers that this package adds."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np  # noqa: F401 - for the example
from keras import ops

from pyimagesearch_lr import _keras
from pyimagesearch_lr._arguments import COUNT, number, one_of

OWNER = "ConvMuon"
MATRIX_TYPES = ("float32", "bfloat16")
ABOVE_0 = number("a finite number above 0", lambda value: 0 < value < math.inf)
QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan's polynomial, steep at 0
LEAST_NORM = 1e-3  # of a kernel: one of zeros would never change
TINY = 1e-15  # in place of a norm of 0, by which is divided


@keras.saving.register_keras_serializable("pyimagesearch_lr")
class ConvMuon(keras.optimizers.SGD):
    """Muon for convolutions: every step turns a kernel by an orthogonal matrix of the gradient's directions.

    A kernel of shape `(height, width, in, out)` is a matrix `W` of `height * width * in` rows and `out`
    columns; `G` is its gradient, and `M` its momentum, 0 at first:

        M = momentum * M + G
        U = orthogonalized(G + momentum * M), or orthogonalized(M) without Nesterov
        V = W - learning_rate * |W| * U / |U|
        W = V * |W| / |V|

    so a step changes a kernel by the share `learning_rate` of its norm, however large the gradient is, and
    the norm stays as it was. Newton and Schulz's iteration finds `U`; its singular values come near 1.
    All other variables (kernels of dense layers, biases, the scales of a normalisation) take the step of
    `keras.optimizers.SGD`, with `others` times the learning rate.

    It is for convolutions that are followed by a normalisation: the norm of such a kernel says nothing.
    `keras.optimizers.Muon` is for matrices, and leaves the kernels of convolutions to Adam.

    Source: Jordan et al., 2024, Muon: An optimizer for hidden layers in neural networks,
    kellerjordan.github.io/posts/muon. Steps in proportion to the norm: Bernstein et al., 2020, On the
    distance between two neural networks and the stability of learning, arXiv:2002.03432.

    Args:
        learning_rate: Float, or a schedule, as in `keras.optimizers.SGD`.
        momentum: Float in [0, 1).
        nesterov: Bool, whether the momentum is Nesterov's.
        others: Float above 0, the learning rate of all other variables as a multiple of `learning_rate`.
        ns_steps: Int of at least 1, the iterations for `U`.
        matrix_dtype: String, "float32" or "bfloat16", in which matrices are multiplied to find `U`. bfloat16
            is enough, and fast where the processor has units for it.
        **kwargs: As in `keras.optimizers.SGD`; a `weight_decay` comes before each step, and shrinks the norm.

    Raises:
        TypeError: If `others` or `ns_steps` is not a number.
        ValueError: If one of them is out of its range, or `matrix_dtype` is another.

    Example:

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, use_bias=False)])
    >>> model.compile(ConvMuon(learning_rate=0.5), "mse")
    >>> before = model.get_weights()[0]
    >>> loss = model.train_on_batch(np.ones((2, 8, 8, 3)), np.ones((2, 6, 6, 4)))
    >>> after = model.get_weights()[0]
    >>> bool(np.isclose(np.linalg.norm(after), np.linalg.norm(before))), bool((after == before).all())
    (True, False)
    """

    def __init__(
        self,
        learning_rate: Any = 0.02,
        momentum: float = 0.9,
        nesterov: bool = True,
        *,
        others: float = 4.0,
        ns_steps: int = 3,
        matrix_dtype: str = "float32",
        **kwargs: Any,
    ):
        super().__init__(learning_rate, momentum=momentum, nesterov=nesterov, **kwargs)
        self.others = ABOVE_0(OWNER, "others", others)
        self.ns_steps = COUNT(OWNER, "ns_steps", ns_steps)
        self.matrix_dtype = one_of(MATRIX_TYPES)(OWNER, "matrix_dtype", matrix_dtype)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Take a step of one variable, as Keras asks an optimizer to."""
        if len(variable.shape) != 4:
            super().update_step(gradient, variable, learning_rate * self.others)
            return
        rate, gradient = ops.cast(learning_rate, variable.dtype), ops.cast(gradient, variable.dtype)
        direction = gradient
        if self.momentum:
            momentum = self.momentums[_keras.index_of(self, variable)]
            averaged = self.momentum * ops.convert_to_tensor(momentum) + gradient
            self.assign(momentum, averaged)
            direction = gradient + self.momentum * averaged if self.nesterov else averaged
        kernel = ops.convert_to_tensor(variable)
        turn = ops.reshape(self._orthogonalized(direction), variable.shape)
        norm = ops.maximum(_norm(kernel), LEAST_NORM)
        moved = kernel - rate * norm * turn / _norm(turn)
        self.assign(variable, norm * moved / _norm(moved))

    def _orthogonalized(self, gradient: Any) -> Any:
        """The gradient of a kernel as a matrix, `(out, in)`, whose singular values are brought near 1."""
        *_, columns = gradient.shape
        matrix = ops.reshape(gradient, (-1, columns))
        is_tall = matrix.shape[0] > columns
        matrix = ops.transpose(matrix) if is_tall else matrix  # the product with itself is then small
        matrix = ops.cast(matrix / _norm(matrix), self.matrix_dtype)
        first, third, fifth = QUINTIC
        for _ in range(self.ns_steps):
            square = ops.matmul(matrix, ops.transpose(matrix))
            matrix = first * matrix + ops.matmul(third * square + fifth * ops.matmul(square, square), matrix)
        matrix = ops.cast(matrix, gradient.dtype)
        return ops.transpose(matrix) if is_tall else matrix

    def get_config(self) -> dict[str, Any]:
        """What makes such an optimizer anew."""
        own = {name: getattr(self, name) for name in ("others", "ns_steps", "matrix_dtype")}
        return {**super().get_config(), **own}


def _norm(values: Any) -> Any:
    return ops.maximum(ops.sqrt(ops.sum(ops.square(values))), TINY)
