"""Fashion-MNIST: every file checked, every failure named, every batch the same for the same seed."""

from __future__ import annotations

import doctest
import gzip
import hashlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import tensorflow as tf
from keras.src.legacy.preprocessing.image import ImageDataGenerator

from pyimagesearch_lr.pipeline import fashion_mnist

REAL_FILES = dict(fashion_mnist.FILES)
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = REAL_FILES
SHAPES = {TRAIN_IMAGES: (6, 28, 28), TRAIN_LABELS: (6,), TEST_IMAGES: (4, 28, 28), TEST_LABELS: (4,)}
RNG = np.random.default_rng(0)
ARRAYS = {name: RNG.integers(0, 10, shape, dtype=np.uint8) for name, shape in SHAPES.items()}


def idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_files(folder: Path, names: tuple[str, ...] = tuple(SHAPES)) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(gzip.compress(idx_bytes(ARRAYS[name])))
    return folder


def assert_small_data(data: fashion_mnist.Arrays) -> None:
    (x_train, y_train), (x_test, y_test) = data
    np.testing.assert_array_equal(x_train, ARRAYS[TRAIN_IMAGES])
    np.testing.assert_array_equal(y_train, ARRAYS[TRAIN_LABELS])
    np.testing.assert_array_equal(x_test, ARRAYS[TEST_IMAGES])
    np.testing.assert_array_equal(y_test, ARRAYS[TEST_LABELS])


@pytest.fixture
def small_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Small files in place of the real ones, and every place they are looked for inside `tmp_path`, empty."""
    files = {
        name: fashion_mnist.IdxFile(shape, hashlib.sha256(idx_bytes(ARRAYS[name])).hexdigest())
        for name, shape in SHAPES.items()
    }
    monkeypatch.setattr(fashion_mnist, "FILES", files)
    monkeypatch.setattr(fashion_mnist, "DEBIAN_DIR", str(tmp_path / "debian"))
    monkeypatch.setattr(fashion_mnist, "DOWNLOAD_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("FASHION_MNIST_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Host:
    """A download host on this machine: serves whole files, and misbehaves as told for one of them."""

    def __init__(self) -> None:
        self.faults: dict[str, str] = {}
        self.served: list[str] = []
        self.release = threading.Event()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        name = request.path.strip("/")
        self.served.append(name)
        content = gzip.compress(idx_bytes(ARRAYS[name]))
        fault = self.faults.get(name)
        if fault == "silent":
            self.release.wait(10)
            return
        if fault == "not found":
            request.send_error(404)
            return
        body = {"login page": b"<html>", "cut": content[:-20]}.get(fault or "", content)
        request.send_response(200)
        request.send_header("Content-Length", str(len(content) if fault == "cut" else len(body)))
        request.end_headers()
        request.wfile.write(body)


@pytest.fixture
def host(small_data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    host = Host()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host.answer(self)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    monkeypatch.setattr(fashion_mnist, "DOWNLOAD_URL", f"http://127.0.0.1:{server.server_port}/")
    yield host
    host.release.set()
    server.shutdown()
    server.server_close()
    thread.join()


# Where the data is found


def test_named_folder_is_read(small_data):
    assert_small_data(fashion_mnist.load_data(write_files(small_data / "mine")))


def test_arrays_are_uint8_and_belong_to_the_caller(small_data):
    (x_train, y_train), _ = fashion_mnist.load_data(write_files(small_data / "mine"))
    assert x_train.dtype == y_train.dtype == np.uint8
    x_train[:] = 0
    y_train[:] = 0


def test_tilde_in_a_named_folder_is_the_home_folder(small_data, monkeypatch):
    monkeypatch.setenv("HOME", str(small_data))
    write_files(small_data / "mine")
    assert_small_data(fashion_mnist.load_data("~/mine"))


@pytest.mark.parametrize("place", ["named", "data/fashion-mnist", "debian", "keras/datasets/fashion-mnist"])
def test_every_place_is_looked_at(small_data, monkeypatch, place):
    if place == "named":
        monkeypatch.setenv("FASHION_MNIST_DIR", str(small_data / "named"))
    write_files(small_data / place)
    assert_small_data(fashion_mnist.load_data())


def test_an_earlier_place_is_taken_though_a_later_one_is_whole(small_data, monkeypatch):
    places = ["named", "data/fashion-mnist", "debian", "keras/datasets/fashion-mnist"]
    monkeypatch.setenv("FASHION_MNIST_DIR", str(small_data / "named"))
    for place in places:
        write_files(small_data / place)
    for place in places[:3]:
        (small_data / place / TEST_LABELS).unlink()
        with pytest.raises(FileNotFoundError, match=rf"{TEST_LABELS} missing from {small_data / place}\."):
            fashion_mnist.load_data()
        for name in (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES):
            (small_data / place / name).unlink()
    assert_small_data(fashion_mnist.load_data())


def test_named_folder_is_the_only_place_looked_at(small_data):
    write_files(small_data / "debian")
    (small_data / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=f"missing from {small_data / 'empty'}"):
        fashion_mnist.load_data(small_data / "empty")
    with pytest.raises(FileNotFoundError, match=f"does not exist. Received: {small_data / 'nowhere'}"):
        fashion_mnist.load_data(small_data / "nowhere")


def test_error_lists_every_place_why_it_failed_and_two_ways_to_the_data(small_data, monkeypatch):
    monkeypatch.setenv("FASHION_MNIST_DIR", str(small_data / "typo"))
    (small_data / "debian").mkdir()
    with pytest.raises(FileNotFoundError, match="in none of the places looked at") as caught:
        fashion_mnist.load_data()
    message = str(caught.value)
    for expected in (
        f"variable FASHION_MNIST_DIR: {small_data}/typo does not exist",
        f"current folder: {small_data}/data/fashion-mnist does not exist",
        f"Debian's package: {small_data}/debian has none of the files",
        f"Keras's cache: {small_data}/keras/datasets/fashion-mnist lacks {TRAIN_IMAGES}",
        "Keras's download:",
        "apt-get install dataset-fashion-mnist",
        "DATA_DIR in config.py",
    ):
        assert expected in message


def test_error_says_when_the_environment_variable_is_not_set(small_data):
    with pytest.raises(FileNotFoundError, match="FASHION_MNIST_DIR: not set"):
        fashion_mnist.load_data()


# Bad files


def test_truncated_file_is_named(small_data):
    path = write_files(small_data / "mine") / TRAIN_IMAGES
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(
        ValueError, match=rf"{TRAIN_IMAGES} in .*/mine is truncated.*1,000 bytes on disk.*Delete"
    ):
        fashion_mnist.load_data(small_data / "mine")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"<html>", "is not a sound gzip file", id="a web page"),
        pytest.param(b"", r"Expected: 14 bytes decompressed\. Received: 0\.", id="empty"),
        pytest.param(gzip.compress(bytes(13)), "Expected: 14 bytes .* Received: 13", id="short"),
        pytest.param(gzip.compress(bytes(10**6)), "Expected: 14 bytes .* Received: more", id="long"),
        pytest.param(
            gzip.compress(bytes([0, 0, 9, 1, 0, 0, 0, 6, 1, 2, 3, 4, 5, 6])),
            r"Expected: magic number 0x00000801 and shape \(6,\)\. Received: magic number 0x00000901",
            id="another type",
        ),
        pytest.param(
            gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6])),
            r"Received: magic number 0x00000801 and shape \(7,\)",
            id="another length",
        ),
        pytest.param(
            gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 6, 1, 2, 3, 4, 5, 6])),
            "is corrupt. Expected: SHA-256 [0-9a-f]{64} .* Received: [0-9a-f]{64}",
            id="other labels",
        ),
    ],
)
def test_bad_file_is_named_with_what_was_expected(small_data, content, message):
    folder = write_files(small_data / "mine")
    (folder / TRAIN_LABELS).write_bytes(content)
    with pytest.raises(ValueError, match=f"{TRAIN_LABELS} in .*{message}"):
        fashion_mnist.load_data(folder)


def test_one_flipped_bit_anywhere_is_an_error(small_data):
    folder = write_files(small_data / "mine")
    whole = (folder / TEST_LABELS).read_bytes()
    for position in range(10, len(whole)):
        flipped = bytearray(whole)
        flipped[position] ^= 1
        (folder / TEST_LABELS).write_bytes(flipped)
        with pytest.raises(ValueError, match=TEST_LABELS):
            fashion_mnist.load_data(folder)


def test_files_compressed_by_someone_else_are_accepted(small_data):
    folder = write_files(small_data / "mine")
    for name in SHAPES:
        (folder / name).write_bytes(gzip.compress(idx_bytes(ARRAYS[name]), compresslevel=1, mtime=7))
    assert_small_data(fashion_mnist.load_data(folder))


# The download


def test_download_fills_the_cache_and_prints_nothing(small_data, host, capsys):
    assert_small_data(fashion_mnist.load_data())
    assert sorted(host.served) == sorted(SHAPES)
    assert capsys.readouterr() == ("", "")
    assert_small_data(fashion_mnist.load_data())
    assert len(host.served) == 4


def test_cache_left_incomplete_is_completed_by_what_it_lacks(small_data, host):
    write_files(small_data / "keras/datasets/fashion-mnist", (TRAIN_IMAGES, TEST_LABELS))
    assert_small_data(fashion_mnist.load_data())
    assert sorted(host.served) == sorted([TRAIN_LABELS, TEST_IMAGES])


@pytest.mark.parametrize(
    ("fault", "message"),
    [("cut", TEST_IMAGES), ("not found", "404"), ("login page", "not a sound gzip"), ("silent", "timed out")],
)
def test_failed_download_is_our_error_and_nothing_half_written_stays(
    small_data, host, monkeypatch, capsys, fault, message
):
    monkeypatch.setattr(fashion_mnist, "DOWNLOAD_TIMEOUT", 0.3)
    host.faults[TEST_IMAGES] = fault
    before = time.monotonic()
    with pytest.raises(FileNotFoundError, match=f"Keras's download: .*{message}"):
        fashion_mnist.load_data()
    assert time.monotonic() - before < 5
    assert [path for path in (small_data / "keras").rglob("*") if path.is_file()] == []
    assert [path.name for path in (small_data / "keras/datasets").iterdir()] == ["fashion-mnist"]
    assert capsys.readouterr() == ("", "")


def test_download_leaves_the_default_socket_timeout_as_it_was(small_data):
    before = socket.getdefaulttimeout()
    with pytest.raises(FileNotFoundError, match=r"Keras's download: .*127.0.0.1:9/"):
        fashion_mnist.load_data()
    assert socket.getdefaulttimeout() == before


# The real data


@pytest.fixture(scope="module")
def real_data() -> fashion_mnist.Arrays:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fashion_mnist, "DOWNLOAD_URL", "http://127.0.0.1:9/")
        try:
            return fashion_mnist.load_data()
        except FileNotFoundError as error:
            pytest.skip(f"no Fashion-MNIST on this machine: {error}")


def test_real_data_has_the_published_shape_and_balance(real_data):
    (x_train, y_train), (x_test, y_test) = real_data
    assert (x_train.shape, y_train.shape) == ((60000, 28, 28), (60000,))
    assert (x_test.shape, y_test.shape) == ((10000, 28, 28), (10000,))
    assert np.bincount(y_train).tolist() == [6000] * 10
    assert np.bincount(y_test).tolist() == [1000] * 10
    assert [fashion_mnist.CLASS_NAMES[label] for label in y_train[:3]] == ["ankle boot", "top", "top"]


def test_sample_is_of_the_real_images_with_their_labels(real_data):
    for (x_sample, y_sample), (x, y) in zip(fashion_mnist.load_sample(), real_data, strict=True):
        label_of = {image.tobytes(): label for image, label in zip(x, y, strict=True)}
        assert [label_of[image.tobytes()] for image in x_sample] == y_sample.tolist()


def test_sample_is_balanced_shuffled_and_small():
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_sample()
    assert (x_train.shape, x_test.shape) == ((2000, 28, 28), (500, 28, 28))
    assert x_train.dtype == y_train.dtype == x_test.dtype == y_test.dtype == np.uint8
    assert np.bincount(y_train).tolist() == [200] * 10
    assert np.bincount(y_test).tolist() == [50] * 10
    assert (np.diff(y_train.astype(int)) != 0).mean() > 0.8
    assert len(np.unique(x_train.reshape(2000, -1), axis=0)) == 2000
    assert fashion_mnist.SAMPLE_FILE.stat().st_size < 1_500_000


def test_examples_in_the_docstrings_print_what_they_say(real_data):
    assert doctest.testmod(fashion_mnist).failed == 0


# Resizing and labels


def test_resize_gives_what_opencv_gives_for_each_image():
    (x_train, _), _ = fashion_mnist.load_sample()
    resized = fashion_mnist.resize(x_train[:20])
    assert resized.shape == (20, 32, 32, 1)
    assert resized.dtype == np.uint8
    for before, after in zip(x_train, resized, strict=False):
        np.testing.assert_array_equal(after[..., 0], cv2.resize(before, (32, 32)))


def test_resize_takes_images_with_a_channel_and_other_sizes():
    flat = np.full((3, 28, 28), 200, np.uint8)
    assert (fashion_mnist.resize(flat[..., np.newaxis], 16) == np.full((3, 16, 16, 1), 200)).all()
    assert fashion_mnist.resize(flat[:0]).shape == (0, 32, 32, 1)


def test_resize_averages_the_area_of_a_pixel_on_the_way_down():
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    blocks = images.reshape(3, 14, 2, 14, 2).mean(axis=(2, 4))
    assert np.abs(fashion_mnist.resize(images, 14)[..., 0] - blocks).max() <= 0.5


def test_resize_refuses_what_it_would_spoil():
    images = np.zeros((2, 28, 28), np.uint8)
    with pytest.raises(TypeError, match=r"must be uint8.*float32"):
        fashion_mnist.resize(images.astype(np.float32))
    with pytest.raises(ValueError, match=r"\(28, 28\)"):
        fashion_mnist.resize(images[0])
    with pytest.raises(ValueError, match=r"\(2, 28, 28, 3\)"):
        fashion_mnist.resize(np.zeros((2, 28, 28, 3), np.uint8))
    with pytest.raises(ValueError, match=r"`resize`: `size` must be a whole number of at least 1.*size=0"):
        fashion_mnist.resize(images, 0)
    with pytest.raises(ValueError, match=r"`size` must be a whole number of at least 1.*32\.5"):
        fashion_mnist.resize(images, 32.5)
    with pytest.raises(TypeError, match=r"`size` must be a number.*'32'"):
        fashion_mnist.resize(images, "32")


def test_binarize_gives_ten_columns_whatever_labels_occur():
    assert fashion_mnist.binarize(np.array([1, 0], np.uint8)).tolist() == [
        [0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]
    assert fashion_mnist.binarize([9]).dtype == np.float32


def test_binarize_refuses_unknown_labels_and_other_shapes():
    with pytest.raises(ValueError, match=r"0 to 9\. Received also: \[10, 12\]"):
        fashion_mnist.binarize([3, 12, 10])
    with pytest.raises(ValueError, match=r"shape \(n,\)\. Received: shape=\(2, 1\)"):
        fashion_mnist.binarize([[3], [4]])


# Augmentation

SHIFTS = np.array(
    [(0.0, 0.0), (1.0, -2.0), (0.5, 0.25), (-3.2, 3.2), (2.75, -0.1), (-40.0, 40.0), (0.0, 1.5)]
)


def textured(n: int, height: int = 12, width: int = 9, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(1).random((n, height, width, channels)).astype(np.float32)


def test_shift_and_flip_agrees_with_scipy():
    images = textured(len(SHIFTS), channels=2)
    flips = np.arange(len(SHIFTS)) % 2 == 1
    dy, dx = SHIFTS.T.astype(np.float32)
    received = fashion_mnist.shift_and_flip(images, dy, dx, flips).numpy()
    for image, shift, flip, after in zip(images, SHIFTS, flips, received, strict=True):
        expected = scipy.ndimage.shift(image, (*-shift, 0), order=1, mode="nearest")
        np.testing.assert_allclose(after, expected[:, ::-1] if flip else expected, atol=1e-5)


@pytest.mark.filterwarnings("ignore:Please import `affine_transform`:DeprecationWarning")
def test_shift_and_flip_agrees_with_the_image_data_generator_of_keras():
    generator = ImageDataGenerator(fill_mode="nearest")
    images = textured(len(SHIFTS))
    for flip in (False, True):
        received = fashion_mnist.shift_and_flip(images, *SHIFTS.T.astype(np.float32), [flip] * len(SHIFTS))
        for image, (dy, dx), after in zip(images, SHIFTS, received.numpy(), strict=True):
            drawn = {"tx": dx, "ty": dy, "flip_horizontal": flip}
            np.testing.assert_allclose(after, generator.apply_transform(image, drawn), atol=1e-5)


def test_augment_keeps_shape_dtype_and_range_inside_a_graph_of_unknown_sizes():
    images = textured(5, channels=3)
    unknown = tf.TensorSpec((None, None, None, None), tf.float32)
    traced = tf.function(lambda x: fashion_mnist.augment(x, (1, 2)), input_signature=[unknown])
    received = traced(images).numpy()
    assert (received.shape, received.dtype) == (images.shape, images.dtype)
    assert received.min() >= 0
    assert received.max() <= 1
    np.testing.assert_array_equal(received, fashion_mnist.augment(images, (1, 2)))
    assert fashion_mnist.augment(images.astype(np.float16), (1, 2)).dtype == tf.float16


def test_augment_is_a_function_of_its_seed():
    images = textured(5)
    first = fashion_mnist.augment(images, (1, 2)).numpy()
    np.testing.assert_array_equal(first, fashion_mnist.augment(images, (1, 2)))
    assert not np.allclose(first, fashion_mnist.augment(images, (1, 3)))
    assert not np.allclose(first, fashion_mnist.augment(images, (2, 2)))


def test_augment_without_shift_and_flip_changes_nothing():
    images = textured(5)
    np.testing.assert_array_equal(fashion_mnist.augment(images, (1, 2), shift=0.0, flip=False), images)


def moves_seen(images: np.ndarray, column: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far a dot in the middle row and left of the middle was moved, and whether it was mirrored."""
    _, height, width, _ = images.shape
    mass = images.sum((1, 2, 3))
    rows = (images.sum((2, 3)) @ np.arange(height)) / mass
    columns = (images.sum((1, 3)) @ np.arange(width)) / mass
    flips = columns > width / 2
    return rows - height // 2, np.where(flips, width - 1 - columns, columns) - column, flips


def dots(n: int) -> np.ndarray:
    images = np.zeros((n, 20, 40, 1), np.float32)
    images[:, 10, 10] = 1
    return images


def test_shifts_and_flips_seen_in_the_images_are_uniform_and_independent():
    down, right, flips = moves_seen(fashion_mnist.augment(dots(4000), (3, 4)).numpy(), column=10)
    assert scipy.stats.kstest(down, scipy.stats.uniform(-2, 4).cdf).pvalue > 0.01
    assert scipy.stats.kstest(right, scipy.stats.uniform(-4, 8).cdf).pvalue > 0.01
    assert down.std() == pytest.approx(4 / 12**0.5, rel=0.03)
    assert right.std() == pytest.approx(8 / 12**0.5, rel=0.03)
    assert flips.mean() == pytest.approx(0.5, abs=0.025)
    correlations = np.corrcoef([down, right, flips])[np.triu_indices(3, 1)]
    assert np.abs(correlations).max() < 0.05


@pytest.mark.filterwarnings("ignore:Please import `affine_transform`:DeprecationWarning")
def test_moves_of_square_images_are_distributed_as_those_of_keras():
    images = dots(3000)[:, :, :20]
    images[:, 10, 4], images[:, 10, 10] = 1, 0
    np.random.seed(5)
    generator = ImageDataGenerator(
        width_shift_range=0.1, height_shift_range=0.1, horizontal_flip=True, fill_mode="nearest"
    )
    theirs = moves_seen(np.stack([generator.random_transform(image) for image in images]), column=4)
    ours = moves_seen(fashion_mnist.augment(images, (6, 7)).numpy(), column=4)
    assert scipy.stats.ks_2samp(ours[0], theirs[0]).pvalue > 0.01
    assert scipy.stats.ks_2samp(ours[1], theirs[1]).pvalue > 0.01
    assert ours[2].mean() == pytest.approx(theirs[2].mean(), abs=0.04)


def test_whole_pixels_move_without_blurring_as_far_as_the_others():
    moved = fashion_mnist.augment(dots(4000), (3, 4), whole_pixels=True).numpy()
    assert set(np.unique(moved)) == {0, 1}
    down, right, flips = moves_seen(moved, column=10)
    counts = {shift: int((down == shift).sum()) for shift in range(-2, 3)}
    # Uniform over [-2, 2], rounded: an eighth each at the ends, a quarter each between.
    expected = {-2: 500, -1: 1000, 0: 1000, 1: 1000, 2: 500}
    assert scipy.stats.chisquare(list(counts.values()), list(expected.values())).pvalue > 0.01
    assert (right.min(), right.max()) == (-4, 4)
    assert flips.mean() == pytest.approx(0.5, abs=0.025)


def test_augment_refuses_what_it_cannot_move():
    with pytest.raises(TypeError, match=r"`augment`.*float type.*uint8.*tf\.cast"):
        fashion_mnist.augment(np.zeros((2, 8, 8, 1), np.uint8), (0, 0))
    with pytest.raises(ValueError, match=r"`shift_and_flip`.*Received: shape=\(2, 8, 8\)"):
        fashion_mnist.shift_and_flip(np.zeros((2, 8, 8), np.float32), [0.0], [0.0], [False])
    for shift in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match=f"in \\[0, 1\\). Received: shift={shift}"):
            fashion_mnist.augment(textured(2), (0, 0), shift=shift)


# Batches


def numbered(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Textured images, and the number of each as its label."""
    images = np.random.default_rng(2).integers(0, 256, (n, 8, 8, 1), dtype=np.uint8)
    return images, np.arange(n)


def take(dataset: tf.data.Dataset, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(islice(dataset.as_numpy_iterator(), count))


def assert_same_batches(received: list, expected: list) -> None:
    assert len(received) == len(expected)
    for (x, y), (x_expected, y_expected) in zip(received, expected, strict=True):
        np.testing.assert_array_equal(x, x_expected)
        np.testing.assert_array_equal(y, y_expected)


def test_each_epoch_shows_every_image_once_in_an_order_of_its_own():
    batches = take(fashion_mnist.training_batches(*numbered(23), 5), 10)
    orders = [np.concatenate([y for _, y in batches[first : first + 5]]) for first in (0, 5)]
    assert [len(y) for _, y in batches] == [5, 5, 5, 5, 3] * 2
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(23))
    assert len({tuple(order) for order in (*orders, range(23))}) == 3


def test_every_place_in_the_order_is_equally_likely_for_an_image():
    images, labels = numbered(8)
    batches = take(fashion_mnist.training_batches(images, labels, 8, augmented=False), 800)
    counts = np.zeros((8, 8))
    for _, y in batches:
        counts[np.arange(8), y.astype(int)] += 1
    assert scipy.stats.chisquare(counts.ravel(), ddof=14).pvalue > 0.01


def test_images_keep_their_labels():
    images, labels = numbered(23)
    for x, y in take(fashion_mnist.training_batches(images, labels, 5, augmented=False), 5):
        np.testing.assert_allclose(x * 255, images[y.astype(int)], atol=1e-4)
        assert (x.dtype, y.dtype) == (np.float32, np.float32)


def test_augmentation_differs_between_batches_and_epochs():
    images, labels = np.tile(numbered(1)[0], (6, 1, 1, 1)), np.zeros(6)
    seen = np.concatenate([x for x, _ in take(fashion_mnist.training_batches(images, labels, 2), 6)])
    assert len(np.unique(seen.reshape(12, -1), axis=0)) == 12
    assert seen.min() >= 0
    assert seen.max() <= 1


@pytest.mark.parametrize("augmented", [True, False])
def test_start_epoch_goes_on_exactly_where_a_longer_run_would_be(augmented):
    data = numbered(23)
    whole = take(fashion_mnist.training_batches(*data, 5, seed=4, augmented=augmented), 20)
    rest = fashion_mnist.training_batches(*data, 5, seed=4, augmented=augmented, start_epoch=2)
    assert_same_batches(take(rest, 10), whole[10:])


def test_each_iteration_begins_at_the_start_epoch_again():
    dataset = fashion_mnist.training_batches(*numbered(23), 5, start_epoch=3)
    assert_same_batches(take(dataset, 7), take(dataset, 7))


def test_another_seed_gives_another_order():
    orders = [take(fashion_mnist.training_batches(*numbered(23), 23, seed=seed), 1)[0][1] for seed in (0, 1)]
    assert not np.array_equal(*orders)


def test_drop_remainder_leaves_whole_batches_of_a_known_size():
    dataset = fashion_mnist.training_batches(*numbered(23), 5, drop_remainder=True)
    assert dataset.element_spec[0].shape == (5, 8, 8, 1)
    assert [len(y) for _, y in take(dataset, 9)] == [5] * 9
    assert fashion_mnist.training_batches(*numbered(20), 5).element_spec[1].shape == (5,)


def test_training_batches_say_they_have_no_end():
    assert fashion_mnist.training_batches(*numbered(8), 5).cardinality() == tf.data.INFINITE_CARDINALITY


def test_evaluation_batches_are_all_images_once_in_order():
    images, labels = numbered(23)
    dataset = fashion_mnist.evaluation_batches(images, labels, 5)
    batches = list(dataset.as_numpy_iterator())
    assert len(dataset) == 5
    assert [len(y) for _, y in batches] == [5, 5, 5, 5, 3]
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), labels)
    np.testing.assert_allclose(np.concatenate([x for x, _ in batches]) * 255, images, atol=1e-4)


@pytest.mark.parametrize("make", [fashion_mnist.training_batches, fashion_mnist.evaluation_batches])
def test_autotune_is_off_and_batches_are_deterministic(make):
    options = make(*numbered(8), 5).options()
    assert options.autotune.enabled is False
    assert options.deterministic is True


@pytest.mark.parametrize("make", [fashion_mnist.training_batches, fashion_mnist.evaluation_batches])
def test_batches_refuse_what_they_cannot_be_made_of(make):
    images, labels = numbered(8)
    with pytest.raises(TypeError, match=f"`{make.__name__}`: `images` must be uint8.*float32"):
        make(images.astype(np.float32), labels, 4)
    with pytest.raises(ValueError, match=r"Received: shape=\(8, 8, 8\).*call `resize`"):
        make(images[..., 0], labels, 4)
    with pytest.raises(ValueError, match="Received: 8 images, 7 labels"):
        make(images, labels[:7], 4)
    with pytest.raises(ValueError, match="Received: 0 images, 0 labels"):
        make(images[:0], labels[:0], 4)
    with pytest.raises(ValueError, match=r"`batch_size` must be a whole number of at least 1.*batch_size=0"):
        make(images, labels, 0)
    with pytest.raises(TypeError, match=r"`batch_size` must be a number.*batch_size='4'"):
        make(images, labels, "4")


def test_training_batches_refuse_settings_out_of_range():
    data = numbered(8)
    with pytest.raises(ValueError, match=r"`start_epoch` must be a whole number of at least 0.*-1"):
        fashion_mnist.training_batches(*data, 4, start_epoch=-1)
    with pytest.raises(TypeError, match=r"`seed` must be a number.*None"):
        fashion_mnist.training_batches(*data, 4, seed=None)
    with pytest.raises(ValueError, match=r"no batch at all.*8 images, batch_size=9.*Lower"):
        fashion_mnist.training_batches(*data, 9, drop_remainder=True)


def test_a_model_is_trained_and_evaluated_on_the_batches():
    import keras

    keras.utils.set_random_seed(0)
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_sample()
    training = fashion_mnist.training_batches(
        fashion_mnist.resize(x_train), fashion_mnist.binarize(y_train), 64, augmented=False
    )
    test = fashion_mnist.evaluation_batches(fashion_mnist.resize(x_test), fashion_mnist.binarize(y_test), 64)
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")])
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        training, steps_per_epoch=32, epochs=3, validation_data=test, shuffle=False, verbose=0
    )
    assert history.history["val_accuracy"][-1] > 0.6
