"""Fashion-MNIST: where its files are, checked; and the batches made of it.

Fashion-MNIST is copyright Zalando SE, under the MIT licence (https://github.com/zalandoresearch/fashion-mnist).
`fashion_mnist_sample.npz`, beside this module, holds 2,500 of its images under the same licence.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import math
import os
import socket
import struct
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pyimagesearch_lr._arguments import COUNT, COUNT_OR_0, whole

if TYPE_CHECKING:
    import tensorflow as tf

Arrays = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

CLASS_NAMES = (
    "top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


class IdxFile(NamedTuple):
    """What one IDX file has to hold: its array's shape, and the SHA-256 of its decompressed bytes."""

    shape: tuple[int, ...]
    sha256: str


# Of the decompressed bytes: Debian compresses the same bytes anew, so its .gz files differ from Zalando's.
FILES = {
    "train-images-idx3-ubyte.gz": IdxFile(
        (60000, 28, 28), "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
    ),
    "train-labels-idx1-ubyte.gz": IdxFile(
        (60000,), "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
    ),
    "t10k-images-idx3-ubyte.gz": IdxFile(
        (10000, 28, 28), "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
    ),
    "t10k-labels-idx1-ubyte.gz": IdxFile(
        (10000,), "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
    ),
}

DEBIAN_DIR = "/usr/share/datasets/fashion-mnist"
DOWNLOAD_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
DOWNLOAD_TIMEOUT = 30.0  # seconds without a byte
SAMPLE_FILE = Path(__file__).with_name("fashion_mnist_sample.npz")
SEED = whole()

_GET_THE_DATA = (
    "Two ways to get the data: on Debian or Ubuntu, `apt-get install dataset-fashion-mnist`; or put the four "
    "files of https://github.com/zalandoresearch/fashion-mnist in a folder, and name it in the environment "
    "variable FASHION_MNIST_DIR or as DATA_DIR in config.py."
)


def load_data(data_dir: str | os.PathLike[str] | None = None) -> Arrays:
    """Fashion-MNIST, from the first place that has it; every file's SHA-256 is checked.

    The places, in order: the folder in the environment variable FASHION_MNIST_DIR; `data/fashion-mnist` under
    the current folder; Debian's package `dataset-fashion-mnist`; Keras's cache; Keras's download, into that
    cache. The first folder with any of the four files is taken: a bad file in it is an error, and no reason
    to go on to the next. Only Keras's cache is completed by downloading what it lacks.

    Args:
        data_dir: Path of the folder with the four files. When given, no other place is looked at.

    Returns:
        `(x_train, y_train), (x_test, y_test)`, uint8 arrays of shapes `(60000, 28, 28)`, `(60000,)`,
        `(10000, 28, 28)` and `(10000,)`.

    Raises:
        FileNotFoundError: when no place has the data, or the folder taken lacks a file.
        ValueError: when a file is truncated, corrupt, or another than Fashion-MNIST's.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = load_data()
    >>> x_train.shape, CLASS_NAMES[y_train[0]]
    ((60000, 28, 28), 'ankle boot')
    """
    return _load_folder(_find_folder() if data_dir is None else Path(data_dir).expanduser())


def load_sample() -> Arrays:
    """A class-balanced sample of the real images, which ships with the package: for tests and quick runs.

    The first 200 training and 50 test images of each class, in a fixed shuffled order.

    Returns:
        As `load_data`, with 2,000 training and 500 test images.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = load_sample()
    >>> x_train.shape, x_test.shape
    ((2000, 28, 28), (500, 28, 28))
    """
    with np.load(SAMPLE_FILE, allow_pickle=False) as sample:
        return (sample["x_train"], sample["y_train"]), (sample["x_test"], sample["y_test"])


def resize(images: np.ndarray, size: int = 32) -> np.ndarray:
    """Images resized to `size` x `size` by OpenCV: bilinear interpolation up, averages of the area down.

    Args:
        images: uint8 array of shape `(n, height, width)` or `(n, height, width, 1)`.
        size: Int, the new height and width in pixels.

    Returns:
        uint8 array of shape `(n, size, size, 1)`.

    Raises:
        TypeError: when `images` is not uint8, or `size` no number.
        ValueError: when `images` has another shape, or `size` is no whole number of at least 1.

    Example:

    >>> resize(np.zeros((5, 28, 28), np.uint8)).shape
    (5, 32, 32, 1)
    """
    import cv2

    size = COUNT("resize", "size", size)
    if images.dtype != np.uint8:
        raise TypeError(f"`resize`: `images` must be uint8, 0 to 255. Received: dtype={images.dtype}.")
    if images.shape[3:] not in {(), (1,)} or images.ndim < 3:
        raise ValueError(
            "`resize`: `images` must have shape (n, height, width) or (n, height, width, 1). "
            f"Received: shape={images.shape}."
        )
    resized = np.empty((len(images), size, size, 1), np.uint8)
    method = cv2.INTER_AREA if size < min(images.shape[1:3]) else cv2.INTER_LINEAR
    for source, target in zip(images, resized, strict=True):
        target[..., 0] = cv2.resize(source, (size, size), interpolation=method)
    return resized


def binarize(labels: np.ndarray) -> np.ndarray:
    """Labels as one-hot rows, by scikit-learn's LabelBinarizer.

    Args:
        labels: Int array of shape `(n,)`, each 0 to 9.

    Returns:
        float32 array of shape `(n, 10)`.

    Raises:
        ValueError: when `labels` has another shape, or holds anything but 0 to 9.

    Example:

    >>> binarize(np.array([3])).tolist()
    [[0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]
    """
    from sklearn.preprocessing import LabelBinarizer

    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ValueError(f"`binarize`: `labels` must have shape (n,). Received: shape={labels.shape}.")
    unknown = np.setdiff1d(labels, range(len(CLASS_NAMES)))
    if unknown.size:
        raise ValueError(f"`binarize`: `labels` must be 0 to 9. Received also: {unknown[:5].tolist()}.")
    binarizer = LabelBinarizer().fit(range(len(CLASS_NAMES)))
    return binarizer.transform(labels).astype(np.float32)


def augment(
    images: tf.Tensor, seed: Any, shift: float = 0.1, flip: bool = True, whole_pixels: bool = False
) -> tf.Tensor:
    """Shift every image by a random part of its size, and mirror half of them left to right.

    Equal in distribution to Keras's `ImageDataGenerator(width_shift_range=shift, height_shift_range=shift,
    horizontal_flip=flip, fill_mode="nearest")`, for a whole batch at once and a pure function of `seed`.

    Args:
        images: Float tensor of shape `(n, height, width, channels)`.
        seed: Int tensor of shape `(2,)`; the same seed gives the same result.
        shift: Float in [0, 1), the largest shift as a part of the height and of the width.
        flip: Bool, whether to mirror.
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
        raise ValueError(f"`augment`: `shift` is a part of the image's size, in [0, 1). Received: {shift=}.")
    images = _float_images("augment", images)
    n, height, width, _ = tf.unstack(tf.shape(images))
    draws = tf.random.stateless_uniform((3, n), seed)
    dy, dx = (
        (2 * draw - 1) * shift * tf.cast(length, draw.dtype)
        for draw, length in zip((draws[0], draws[1]), (height, width), strict=True)
    )
    if whole_pixels:
        dy, dx = tf.round(dy), tf.round(dx)
    return shift_and_flip(images, dy, dx, draws[2] < 0.5 if flip else tf.zeros(n, tf.bool))


def shift_and_flip(images: tf.Tensor, dy: tf.Tensor, dx: tf.Tensor, flips: tf.Tensor) -> tf.Tensor:
    """Shift each image by `(dy, dx)` pixels, then mirror it left to right where `flips`.

    Pixel `(i, j)` of a shifted image is read at `(i + dy, j + dx)`, by bilinear interpolation; beyond the
    edges, the nearest pixel of the edge is read. The shift of the rows and that of the columns are each a
    product with a matrix.

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
    images: np.ndarray,
    labels: np.ndarray,
    batch_size: int,
    *,
    seed: int = 0,
    augmented: bool = True,
    whole_pixels: bool = False,
    start_epoch: int = 0,
    drop_remainder: bool = False,
) -> tf.data.Dataset:
    """Shuffled and augmented batches without end, the same ones for the same seed.

    The order of an epoch depends on `(seed, epoch)` only, and the augmentation of a batch on `(seed, epoch,
    batch)`: a dataset with `start_epoch=3` gives what one with `start_epoch=0` gives from its epoch 3 on.
    Each iteration begins at `start_epoch` again.

    Args:
        images: uint8 array of shape `(n, height, width, channels)`.
        labels: Array of shape `(n, ...)`.
        batch_size: Int, images a batch.
        seed: Int.
        augmented: Bool, whether `augment` is applied.
        whole_pixels: Bool, that of `augment`.
        start_epoch: Int, the epoch to begin with, from 0.
        drop_remainder: Bool, whether an epoch's last batch is left out when it is smaller than `batch_size`.

    Returns:
        `tf.data.Dataset` of `(x, y)`: x float32 of shape `(b, height, width, channels)` in [0, 1], y float32.

    Raises:
        TypeError: when `images` is not uint8, or an int is no number.
        ValueError: when an array has the wrong shape, or an int is not whole or out of its range.

    Example:

    >>> (x_train, y_train), _ = load_sample()
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
    pixels, targets = _in_memory(images, labels)

    def batches_of(epoch: tf.Tensor) -> tf.data.Dataset:
        order = _permutation(n, tf.stack([seed, epoch]))
        return tf.data.Dataset.range(batch_count).map(
            lambda batch: (epoch, batch, order[batch * batch_size : (batch + 1) * batch_size])
        )

    def load(epoch: tf.Tensor, batch: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if n % batch_size == 0 or drop_remainder:
            rows = tf.ensure_shape(rows, (batch_size,))
        x, y = _unit_range(tf.gather(pixels, rows)), tf.gather(targets, rows)
        if augmented:
            x = augment(x, tf.random.fold_in(tf.stack([seed, epoch]), batch), whole_pixels=whole_pixels)
        return x, y

    epochs = tf.data.Dataset.range(start_epoch, tf.int64.max)
    batches = epochs.flat_map(batches_of).map(load, num_parallel_calls=2, deterministic=True)
    endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
    return _without_autotune(batches.apply(endless).prefetch(2))


def evaluation_batches(images: np.ndarray, labels: np.ndarray, batch_size: int) -> tf.data.Dataset:
    """All images once, in their order; the last batch may be smaller.

    Args:
        images: uint8 array of shape `(n, height, width, channels)`.
        labels: Array of shape `(n, ...)`.
        batch_size: Int, images a batch.

    Returns:
        `tf.data.Dataset` of `(x, y)` as `training_batches` gives, of `ceil(n / batch_size)` batches.

    Raises:
        TypeError: when `images` is not uint8, or `batch_size` no number.
        ValueError: when an array has the wrong shape, or `batch_size` is no whole number of at least 1.

    Example:

    >>> _, (x_test, y_test) = load_sample()
    >>> len(evaluation_batches(resize(x_test), binarize(y_test), batch_size=64))
    8
    """
    import tensorflow as tf

    n, batch_size = _checked("evaluation_batches", images, labels, batch_size)
    pixels, targets = _in_memory(images, labels)

    def load(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _unit_range(pixels[start : start + batch_size]), targets[start : start + batch_size]

    starts = tf.data.Dataset.range(0, n, batch_size)
    return _without_autotune(starts.map(load, num_parallel_calls=2, deterministic=True).prefetch(2))


def _find_folder() -> Path:
    failures = []
    for place, folder in _places():
        if folder and len(_missing(folder)) < len(FILES):
            return folder
        failures.append(f"{place}: {_why_not(folder)}")
    return _find_in_keras(failures)


def _places() -> list[tuple[str, Path | None]]:
    named = os.environ.get("FASHION_MNIST_DIR")
    return [
        ("environment variable FASHION_MNIST_DIR", Path(named).expanduser() if named else None),
        ("current folder", Path.cwd() / "data" / "fashion-mnist"),
        ("Debian's package", Path(DEBIAN_DIR)),
    ]


def _why_not(folder: Path | None) -> str:
    if folder is None:
        return "not set"
    return f"{folder} has none of the files" if folder.is_dir() else f"{folder} does not exist"


def _find_in_keras(failures: list[str]) -> Path:
    cache = _keras_cache()
    missing = _missing(cache)
    if not missing:
        return cache
    failures.append(f"Keras's cache: {cache} lacks {', '.join(missing)}")
    try:
        _download(missing, cache)
    except Exception as error:  # get_file raises a bare Exception when it cannot reach the host
        failures.append(f"Keras's download: {type(error).__name__}: {error}")
        places = "".join(f"\n- {failure}" for failure in failures)
        raise FileNotFoundError(
            f"`load_data`: Fashion-MNIST was found in none of the places looked at:{places}\n{_GET_THE_DATA}"
        ) from error
    return cache


def _keras_cache() -> Path:
    base = Path.home() if os.access(Path.home(), os.W_OK) else Path("/tmp")
    home = os.environ.get("KERAS_HOME") or base / ".keras"
    return Path(home).expanduser() / "datasets" / "fashion-mnist"


def _missing(folder: Path) -> list[str]:
    return [name for name in FILES if not (folder / name).is_file()]


def _download(names: list[str], cache: Path) -> None:
    """Fetch files into a temporary folder; only when all are whole do they move to the cache."""
    import keras

    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache.parent, prefix="fashion-mnist-") as folder:
        with _socket_timeout(DOWNLOAD_TIMEOUT), contextlib.redirect_stdout(io.StringIO()):
            for name in names:
                keras.utils.get_file(name, origin=DOWNLOAD_URL + name, cache_subdir=folder)
        for name in names:
            _read(Path(folder), name)
        for name in names:
            (Path(folder) / name).replace(cache / name)


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _load_folder(folder: Path) -> Arrays:
    if not folder.is_dir():
        raise FileNotFoundError(
            f"`load_data`: the data folder does not exist. Received: {folder}. "
            f"Expected a folder with {', '.join(FILES)}. {_GET_THE_DATA}"
        )
    if missing := _missing(folder):
        raise FileNotFoundError(
            f"`load_data`: {', '.join(missing)} missing from {folder}. Expected all of {', '.join(FILES)}. "
            f"{_GET_THE_DATA}"
        )
    x_train, y_train, x_test, y_test = (_read(folder, name) for name in FILES)
    return (x_train, y_train), (x_test, y_test)


def _read(folder: Path, name: str) -> np.ndarray:
    shape, expected = FILES[name]
    header_size = 4 + 4 * len(shape)
    content = _gunzip(folder / name, header_size + math.prod(shape))
    _check_header(folder / name, content[:header_size], shape)
    received = hashlib.sha256(content).hexdigest()
    if received != expected:
        raise _bad_file(folder / name, "corrupt", f"SHA-256 {expected} (decompressed)", received)
    return np.frombuffer(bytearray(content), np.uint8, offset=header_size).reshape(shape)


def _gunzip(path: Path, size: int) -> bytes:
    try:
        with gzip.open(path) as file:
            content = file.read(size + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        problem = "truncated" if isinstance(error, EOFError) else "not a sound gzip file"
        received = f"{path.stat().st_size:,} bytes on disk ({error})"
        raise _bad_file(path, problem, f"a gzip file of {size:,} bytes decompressed", received) from error
    if len(content) != size:
        received = "more" if len(content) > size else f"{len(content):,}"
        raise _bad_file(path, "of the wrong size", f"{size:,} bytes decompressed", received)
    return content


def _check_header(path: Path, header: bytes, shape: tuple[int, ...]) -> None:
    expected = (0x0800 + len(shape), *shape)
    received = struct.unpack(f">{len(expected)}I", header)
    if received != expected:
        raise _bad_file(path, "not the IDX file expected", *map(_describe_header, (expected, received)))


def _describe_header(numbers: tuple[int, ...]) -> str:
    return f"magic number {numbers[0]:#010x} and shape {numbers[1:]}"


def _bad_file(path: Path, problem: str, expected: str, received: str) -> ValueError:
    return ValueError(
        f"`load_data`: {path.name} in {path.parent} is {problem}. Expected: {expected}. "
        f"Received: {received}. Delete the file and get it again. {_GET_THE_DATA}"
    )


def _checked(function: str, images: np.ndarray, labels: np.ndarray, batch_size: int) -> tuple[int, int]:
    if images.dtype != np.uint8:
        raise TypeError(f"`{function}`: `images` must be uint8, 0 to 255. Received: dtype={images.dtype}.")
    if images.ndim != 4:
        raise ValueError(
            f"`{function}`: `images` must have shape (n, height, width, channels). Received: "
            f"shape={images.shape}. Add the channel with `images[..., None]`, or call `resize`."
        )
    if len(images) != len(labels) or not len(images):
        raise ValueError(
            f"`{function}`: expected one label an image, and at least one image. "
            f"Received: {len(images)} images, {len(labels)} labels."
        )
    return len(images), COUNT(function, "batch_size", batch_size)


def _in_memory(images: np.ndarray, labels: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
    import tensorflow as tf

    with tf.device("CPU:0"):
        return tf.constant(images), tf.constant(labels, tf.float32)


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
    """Matrices `(n, length, length)` whose row i reads at `positions[i] + offset`, held to the image."""
    import tensorflow as tf

    read_at = tf.cast(positions, tf.float32) + tf.cast(offset, tf.float32)[:, tf.newaxis]
    read_at = tf.clip_by_value(read_at, 0, tf.cast(length - 1, tf.float32))
    distance = tf.abs(read_at[..., tf.newaxis] - tf.cast(tf.range(length), tf.float32))
    return tf.nn.relu(1 - distance)


def _without_autotune(dataset: tf.data.Dataset) -> tf.data.Dataset:
    # tf.data's autotune thread delays the end of every `fit` by up to its sleep, which doubles.
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    options.deterministic = True
    return dataset.with_options(options)
