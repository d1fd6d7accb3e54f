"""Fashion-MNIST: every file checked, every failure named."""

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
from pathlib import Path

import numpy as np
import pytest

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
        pytest.param(b"<html>", "is not a valid gzip file", id="a web page"),
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
    [("cut", TEST_IMAGES), ("not found", "404"), ("login page", "not a valid gzip"), ("silent", "timed out")],
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
