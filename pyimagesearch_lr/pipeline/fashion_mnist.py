"""Fashion-MNIST: where its files are, and whether they are intact.

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
from typing import NamedTuple

import numpy as np

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


# Of the decompressed bytes: Debian compresses them itself, so its .gz files differ from Zalando's.
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

_GET_THE_DATA = (
    "Two ways to get the data: on Debian or Ubuntu, `apt-get install dataset-fashion-mnist`; or put the four "
    "files of https://github.com/zalandoresearch/fashion-mnist in a folder, and name it in the environment "
    "variable FASHION_MNIST_DIR or as DATA_DIR in config.py."
)


def load_data(data_dir: str | os.PathLike[str] | None = None) -> Arrays:
    """Fashion-MNIST, from the first place that has it; every file's SHA-256 is checked.

    The places, in order: the folder in the environment variable FASHION_MNIST_DIR; `data/fashion-mnist` under
    the current folder; Debian's package `dataset-fashion-mnist`; Keras's cache; Keras's download, into that
    cache. The first folder with any of the four files is used: a bad file in it is an error, and no later
    place is tried. Only Keras's cache is completed by downloading what is missing.

    Args:
        data_dir: Path of the folder with the four files. When given, no other place is looked at.

    Returns:
        `(x_train, y_train), (x_test, y_test)`, uint8 arrays of shapes `(60000, 28, 28)`, `(60000,)`,
        `(10000, 28, 28)` and `(10000,)`.

    Raises:
        FileNotFoundError: when no place has the data, or the folder used lacks a file.
        ValueError: when a file is truncated, corrupt, or not one of Fashion-MNIST's.

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
    """Fetch files into a temporary folder; they move to the cache only when all are complete."""
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
        problem = "truncated" if isinstance(error, EOFError) else "not a valid gzip file"
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
