"""Images and labels made into batches: resized, augmented, shuffled, the same for the same seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from pyimagesearch_lr._arguments import COUNT, COUNT_OR_0, whole
from pyimagesearch_lr.pipeline.image_folder import Pictures, resized
from pyimagesearch_lr.pipeline.machine import processors

if TYPE_CHECKING:
    import tensorflow as tf

TUTORIAL_AUGMENTATION = {  # what the tutorial's `ImageDataGenerator` is given; `augment` does the same
    "width_shift_range": 0.1,
    "height_shift_range": 0.1,
    "horizontal_flip": True,
    "fill_mode": "nearest",
}
SEED = whole()


def resize(images: np.ndarray | Pictures, size: int = 32) -> Any:
    """Images resized to `size` x `size` with OpenCV: bilinear interpolation up, area averages down.

    Args:
        images: uint8 array of shape `(n, height, width)` or `(n, height, width, channels)`; or `Pictures`.
        size: Int, the new height and width in pixels.

    Returns:
        uint8 array of shape `(n, size, size, channels)`; `Pictures` of that size if `images` are `Pictures`.

    Raises:
        TypeError: when `images` is not uint8, or `size` is not a number.
        ValueError: when `images` has another shape, or `size` is not a whole number of at least 1.

    Example:

    >>> resize(np.zeros((5, 28, 28), np.uint8)).shape
    (5, 32, 32, 1)
    """
    size = COUNT("resize", "size", size)
    if isinstance(images, Pictures):
        return images.at(size)
    if images.dtype != np.uint8:
        raise TypeError(f"`resize`: `images` must be uint8, 0 to 255. Received: dtype={images.dtype}.")
    if images.shape[3:] not in {(), (1,), (3,)} or images.ndim < 3:
        raise ValueError(
            "`resize`: `images` must have shape (n, height, width), (n, height, width, 1) or (n, height, "
            f"width, 3). Received: shape={images.shape}."
        )
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.shape[1:3] == (size, size):
        return images
    target = np.empty((len(images), size, size, images.shape[3]), np.uint8)
    for row, image in enumerate(images):
        target[row] = resized(image, size)
    return target


def binarize(labels: np.ndarray, classes: int = 10) -> np.ndarray:
    """Labels as one-hot rows, with a column for every class, whichever of them occur.

    Args:
        labels: Int array of shape `(n,)`, each 0 to `classes - 1`.
        classes: Int, the number of classes.

    Returns:
        float32 array of shape `(n, classes)`.

    Raises:
        TypeError: when `classes` is not a number.
        ValueError: when `labels` has another shape, or holds anything but 0 to `classes - 1`, or `classes` is
            not a whole number of at least 1.

    Example:

    >>> binarize(np.array([3])).tolist()
    [[0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]
    """
    classes = COUNT("binarize", "classes", classes)
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ValueError(f"`binarize`: `labels` must have shape (n,). Received: shape={labels.shape}.")
    unknown = np.setdiff1d(labels, range(classes))
    if unknown.size:
        raise ValueError(
            f"`binarize`: `labels` must be 0 to {classes - 1}. Also received: {unknown[:5].tolist()}."
        )
    return np.eye(classes, dtype=np.float32)[labels.astype(int)]


def augment(
    images: tf.Tensor,
    seed: Any,
    shift: float = 0.1,
    flip: bool | tf.Tensor = True,
    whole_pixels: bool = False,
) -> tf.Tensor:
    """Shift every image by a random fraction of its size, and mirror half of them left to right.

    Equal in distribution to Keras's `ImageDataGenerator(width_shift_range=shift, height_shift_range=shift,
    horizontal_flip=flip, fill_mode="nearest")`, by default to the tutorial's, but for a whole batch at once
    and as a pure function of `seed`.

    Args:
        images: Float tensor of shape `(n, height, width, channels)`.
        seed: Int tensor of shape `(2,)`; the same seed gives the same result.
        shift: Float in [0, 1), the largest shift as a fraction of the height and of the width.
        flip: Bool, whether to mirror half of them, drawn at random; or a bool tensor of shape `(n,)`, which
            of them.
        whole_pixels: Bool, whether the shifts are rounded to whole pixels, which leaves the images as sharp
            as they were.

    Returns:
        Float tensor of the shape and dtype of `images`.

    Raises:
        TypeError: when `images` is not of a float type.
        ValueError: when `images` does not have four axes, or `shift` is not in [0, 1).

    Example:

    >>> augment(np.zeros((64, 32, 32, 1), np.float32), seed=(0, 1)).shape
    TensorShape([64, 32, 32, 1])
    """
    import tensorflow as tf

    if not 0 <= shift < 1:
        raise ValueError(
            f"`augment`: `shift` must be a fraction of the image's size, in [0, 1). Received: {shift=}."
        )
    images = _float_images("augment", images)
    n, height, width, _ = tf.unstack(tf.shape(images))
    draws = tf.random.stateless_uniform((3, n), seed)
    dy, dx = (
        (2 * draw - 1) * shift * tf.cast(length, draw.dtype)
        for draw, length in zip((draws[0], draws[1]), (height, width), strict=True)
    )
    if whole_pixels:
        dy, dx = tf.round(dy), tf.round(dx)
    flips = (draws[2] < 0.5) & flip if isinstance(flip, bool) else flip
    return shift_and_flip(images, dy, dx, flips)


def erase(images: tf.Tensor, seed: Any, share: float) -> tf.Tensor:
    """Blank a square of every image, at a random place: its pixels become the mean of the image.

    The centre is drawn from all pixels, so that a square may lie partly outside.

    Source: DeVries and Taylor, 2017, Improved Regularization of Convolutional Neural Networks with Cutout,
    arXiv:1708.04552.

    Args:
        images: Float tensor of shape `(n, height, width, channels)`.
        seed: Int tensor of shape `(2,)`; the same seed gives the same result.
        share: Float in [0, 1), the side of the square as a fraction of the height and of the width; rounded
            to whole pixels.

    Returns:
        Float tensor of the shape and dtype of `images`.

    Raises:
        TypeError: when `images` is not of a float type.
        ValueError: when `images` does not have four axes, or `share` is not in [0, 1).

    Example:

    >>> images = np.random.default_rng(0).random((64, 28, 28, 1)).astype(np.float32)
    >>> int((erase(images, seed=(0, 1), share=0.25).numpy() != images).sum(axis=(1, 2, 3)).max())
    49
    """
    import tensorflow as tf

    if not 0 <= share < 1:
        raise ValueError(
            f"`erase`: `share` must be a fraction of the image's side, in [0, 1). Received: {share=}."
        )
    images = _float_images("erase", images)
    n, height, width, _ = tf.unstack(tf.shape(images))
    draws = tf.random.stateless_uniform((2, n), seed)
    by_row, by_column = (
        _is_in_stretch(draw, length, share)
        for draw, length in zip((draws[0], draws[1]), (height, width), strict=True)
    )
    erased = (by_row[:, :, tf.newaxis] & by_column[:, tf.newaxis])[..., tf.newaxis]
    return tf.where(erased, tf.reduce_mean(images, axis=(1, 2), keepdims=True), images)


def shift_and_flip(images: tf.Tensor, dy: tf.Tensor, dx: tf.Tensor, flips: tf.Tensor) -> tf.Tensor:
    """Shift each image by `(dy, dx)` pixels, then mirror it left to right where `flips`.

    Pixel `(i, j)` of a shifted image is read at `(i + dy, j + dx)`, by bilinear interpolation; beyond the
    edges, the nearest pixel of the edge is read. The shift of the rows and that of the columns are each a
    matrix product.

    Args:
        images: Float tensor of shape `(n, height, width, channels)`.
        dy: Float tensor of shape `(n,)`, in pixels; positive values move the image up.
        dx: Float tensor of shape `(n,)`, in pixels; positive values move the image to the left.
        flips: Bool tensor of shape `(n,)`.

    Returns:
        Float tensor of the shape and dtype of `images`.

    Raises:
        TypeError: when `images` is not of a float type.
        ValueError: when `images` does not have four axes.

    Example:

    >>> row = np.float32([1, 2, 4]).reshape(1, 1, 3, 1)
    >>> shift_and_flip(row, [0.0], [0.5], [False]).numpy().ravel().tolist()
    [1.5, 3.0, 4.0]
    """
    import tensorflow as tf

    images = _float_images("shift_and_flip", images)
    _, height, width, _ = tf.unstack(tf.shape(images))
    rows = tf.tile(tf.range(height)[tf.newaxis], (tf.size(dy), 1))
    columns = tf.tile(tf.range(width)[tf.newaxis], (tf.size(dx), 1))
    columns = tf.where(tf.convert_to_tensor(flips)[:, tf.newaxis], width - 1 - columns, columns)
    by_row = tf.cast(_interpolation(rows, dy, height), images.dtype)[:, tf.newaxis]
    by_column = tf.cast(_interpolation(columns, dx, width), images.dtype)[:, tf.newaxis]
    planes = tf.transpose(images, (0, 3, 1, 2))
    moved = tf.matmul(tf.matmul(by_row, planes), by_column, transpose_b=True)
    return tf.ensure_shape(tf.transpose(moved, (0, 2, 3, 1)), images.shape)


def training_batches(
    images: np.ndarray | Pictures,
    labels: np.ndarray,
    batch_size: int,
    *,
    seed: int = 0,
    augmented: bool = True,
    shift: float = 0.1,
    whole_pixels: bool = False,
    alternate_flips: bool = False,
    erased: float = 0.0,
    start_epoch: int = 0,
    drop_remainder: bool = False,
) -> tf.data.Dataset:
    """Endless shuffled and augmented batches, the same for the same seed.

    The order of an epoch depends on `(seed, epoch)` only, and the augmentation of a batch on `(seed, epoch,
    batch)`: a dataset with `start_epoch=3` gives what one with `start_epoch=0` gives from its epoch 3 on.
    Each iteration starts again at `start_epoch`.

    Args:
        images: uint8 array of shape `(n, height, width, channels)`, or `Pictures`, which are read from the
            disk batch by batch.
        labels: Array of shape `(n, ...)`.
        batch_size: Int, images per batch.
        seed: Int.
        augmented: Bool, whether `augment` is applied.
        shift: Float in [0, 1), as in `augment`.
        whole_pixels: Bool, as in `augment`.
        alternate_flips: Bool, whether each image is mirrored in every other epoch, half of them in the even
            ones, in place of at random: two epochs then show both sides of all (Keller Jordan, 2024,
            arXiv:2404.00498).
        erased: Float in [0, 1), the `share` of `erase`, which comes last; 0 leaves it out.
        start_epoch: Int, the epoch to begin with, from 0.
        drop_remainder: Bool, whether an epoch's last batch is left out when it is smaller than `batch_size`.

    Returns:
        `tf.data.Dataset` of `(x, y)`: x float32 of shape `(b, height, width, channels)` in [0, 1], y float32.

    Raises:
        TypeError: when `images` is not uint8, or an int is not a number.
        ValueError: when an array has the wrong shape, or an int is not whole or out of its range.

    Example:

    >>> x_train, y_train = np.zeros((2000, 28, 28), np.uint8), np.arange(2000) % 10
    >>> batches = training_batches(resize(x_train), binarize(y_train), batch_size=64)
    >>> model.fit(batches, steps_per_epoch=32, epochs=3, shuffle=False)  # doctest: +SKIP
    """
    import tensorflow as tf

    n, batch_size = _checked("training_batches", images, labels, batch_size)
    seed = SEED("training_batches", "seed", seed)
    start_epoch = COUNT_OR_0("training_batches", "start_epoch", start_epoch)
    if drop_remainder and n < batch_size:
        raise ValueError(
            "`training_batches`: `drop_remainder` leaves no batch at all when there are fewer images than "
            f"`batch_size`. Received: {n} images, {batch_size=}. Lower `batch_size`."
        )
    batch_count = n // batch_size if drop_remainder else math.ceil(n / batch_size)
    pixels, targets = _reader(images), _in_memory(labels, tf.float32)
    mirrored_first = tf.random.stateless_uniform((n,), tf.stack([seed, -1])) < 0.5

    def batches_of(epoch: tf.Tensor) -> tf.data.Dataset:
        order = _permutation(n, tf.stack([seed, epoch]))
        return tf.data.Dataset.range(batch_count).map(
            lambda batch: (epoch, batch, order[batch * batch_size : (batch + 1) * batch_size])
        )

    def load(epoch: tf.Tensor, batch: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if n % batch_size == 0 or drop_remainder:
            rows = tf.ensure_shape(rows, (batch_size,))
        x, y = _unit_range(pixels(rows)), tf.gather(targets, rows)
        if augmented:
            flip = tf.gather(mirrored_first, rows) ^ (epoch % 2 == 1) if alternate_flips else True
            draws = tf.random.fold_in(tf.stack([seed, epoch]), batch)
            x = augment(x, draws, shift, flip, whole_pixels)
            x = erase(x, tf.random.fold_in(draws, 0), erased) if erased else x
        return x, y

    epochs = tf.data.Dataset.range(start_epoch, tf.int64.max)
    batches = epochs.flat_map(batches_of).map(load, num_parallel_calls=_parallel(images), deterministic=True)
    endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
    return _without_autotune(batches.apply(endless).prefetch(2))


def evaluation_batches(images: np.ndarray | Pictures, labels: np.ndarray, batch_size: int) -> tf.data.Dataset:
    """All images once, in their order; the last batch may be smaller.

    Args:
        images: uint8 array of shape `(n, height, width, channels)`, or `Pictures`, which are read from the
            disk batch by batch.
        labels: Array of shape `(n, ...)`.
        batch_size: Int, images per batch.

    Returns:
        `tf.data.Dataset` of `(x, y)` as `training_batches` gives, of `ceil(n / batch_size)` batches.

    Raises:
        TypeError: when `images` is not uint8, or `batch_size` is not a number.
        ValueError: when an array has the wrong shape, or `batch_size` is not a whole number of at least 1.

    Example:

    >>> x_test, y_test = np.zeros((500, 28, 28), np.uint8), np.arange(500) % 10
    >>> len(evaluation_batches(resize(x_test), binarize(y_test), batch_size=64))
    8
    """
    import tensorflow as tf

    n, batch_size = _checked("evaluation_batches", images, labels, batch_size)
    pixels, targets = _reader(images), _in_memory(labels, tf.float32)

    def load(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        end = tf.minimum(start + batch_size, n)
        return _unit_range(pixels(tf.range(start, end))), targets[start:end]

    starts = tf.data.Dataset.range(0, n, batch_size)
    loaded = starts.map(load, num_parallel_calls=_parallel(images), deterministic=True)
    return _without_autotune(loaded.prefetch(2))


def mirrored(images: Any) -> Any:
    """Images of shape `(n, height, width, channels)`, mirrored left to right.

    Example:

    >>> mirrored(np.arange(3).reshape(1, 1, 3, 1)).ravel().tolist()
    [2, 1, 0]
    """
    return images[:, :, ::-1]


def _checked(
    function: str, images: np.ndarray | Pictures, labels: np.ndarray, batch_size: int
) -> tuple[int, int]:
    if images.dtype != np.uint8:
        raise TypeError(f"`{function}`: `images` must be uint8, 0 to 255. Received: dtype={images.dtype}.")
    if len(images.shape) != 4:
        raise ValueError(
            f"`{function}`: `images` must have shape (n, height, width, channels). Received: "
            f"shape={images.shape}. Add the channel with `images[..., None]`, or call `resize`."
        )
    if len(images) != len(labels) or not len(images):
        raise ValueError(
            f"`{function}`: expected one label per image, and at least one image. "
            f"Received: {len(images)} images, {len(labels)} labels."
        )
    return len(images), COUNT(function, "batch_size", batch_size)


def _reader(images: np.ndarray | Pictures) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function of row numbers that returns these images as a uint8 tensor."""
    import tensorflow as tf

    if not isinstance(images, Pictures):
        pixels = _in_memory(images, tf.uint8)
        return lambda rows: tf.gather(pixels, rows)

    def read(rows: tf.Tensor) -> tf.Tensor:
        batch = tf.numpy_function(images.read, [rows], tf.uint8, stateful=False)
        return tf.ensure_shape(batch, (rows.shape[0], *images.shape[1:]))

    return read


def _in_memory(array: np.ndarray, dtype: tf.DType) -> tf.Tensor:
    import tensorflow as tf

    with tf.device("CPU:0"):
        return tf.constant(array, dtype)


def _parallel(images: np.ndarray | Pictures) -> int:
    """How many batches are made at a time: decoding uses every processor, copying does not."""
    return max(2, processors()) if isinstance(images, Pictures) else 2


def _float_images(function: str, images: Any) -> tf.Tensor:
    import tensorflow as tf

    images = tf.convert_to_tensor(images)
    if not images.dtype.is_floating:
        raise TypeError(
            f"`{function}`: `images` must be of a float type. Received: dtype={images.dtype.name}. "
            "Convert them with `tf.cast(images, tf.float32) / 255`."
        )
    if images.shape.rank != 4:
        raise ValueError(
            f"`{function}`: `images` must have shape (n, height, width, channels). "
            f"Received: shape={images.shape}."
        )
    return images


def _unit_range(pixels: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    return tf.cast(pixels, tf.float32) / 255


def _permutation(n: int, seed: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    keys = tf.random.stateless_uniform((n,), seed, minval=None, maxval=None, dtype=tf.int64)
    return tf.argsort(keys, stable=True)


def _interpolation(positions: tf.Tensor, offset: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """Matrices `(n, length, length)` whose row i reads at `positions[i] + offset`, clipped to the image."""
    import tensorflow as tf

    read_at = tf.cast(positions, tf.float32) + tf.cast(offset, tf.float32)[:, tf.newaxis]
    read_at = tf.clip_by_value(read_at, 0, tf.cast(length - 1, tf.float32))
    distance = tf.abs(read_at[..., tf.newaxis] - tf.cast(tf.range(length), tf.float32))
    return tf.nn.relu(1 - distance)


def _is_in_stretch(draw: tf.Tensor, length: tf.Tensor, share: float) -> tf.Tensor:
    """Bool tensor `(n, length)`: a stretch of that share of the length, its middle drawn from all places."""
    import tensorflow as tf

    stretch = tf.cast(tf.round(share * tf.cast(length, draw.dtype)), tf.int32)
    middle = tf.cast(draw * tf.cast(length, draw.dtype), tf.int32)
    first = (middle - stretch // 2)[:, tf.newaxis]
    places = tf.range(length)
    return (places >= first) & (places < first + stretch)


def _without_autotune(dataset: tf.data.Dataset) -> tf.data.Dataset:
    # tf.data's autotune thread delays the end of every `fit` by up to its sleep, which doubles.
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    options.deterministic = True
    return dataset.with_options(options)
