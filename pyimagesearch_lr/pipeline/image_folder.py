"""A folder of pictures, one folder per class: listed, examined, read, resized. Imports no Keras."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import io
import os
import threading
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from pyimagesearch_lr.pipeline.machine import processors

Item = TypeVar("Item")
Result = TypeVar("Result")

LEFT_BEHIND = ("__MACOSX", "__pycache__")
ENDINGS = (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".webp")
TRAINING_NAMES = ("train", "training")
TEST_NAMES = ("test", "testing", "val", "valid", "validation")
JOINERS = "\u200c\u200d"  # they shape letters and emoji, and show nothing of their own
FORMATS = ("PNG", "JPEG", "MPO", "BMP", "WEBP")  # MPO: what some phones write, a JPEG with more behind it
GREY_MODES = ("1", "L", "LA", "La", "I;16", "I;16B", "I")
ORIENTATION = 0x0112  # of EXIF
UPRIGHT = (None, 0, 1)
PNG_DEPTH = 24  # the byte of a PNG that holds the bits of a channel
MOST_PIXELS = 100_000_000
CHUNK = 16  # pictures that a thread takes at a time


class UnusablePicture(ValueError):  # noqa: N818 - the message is the reason
    """A picture that cannot be used; the message says why."""


class File(NamedTuple):
    """A picture of a class: its path, the number of its class, and whether it has to be converted."""

    path: Path
    label: int
    converted: bool = False


@dataclasses.dataclass(frozen=True)
class Listing:
    """The pictures of a folder, before any of them was opened.

    Args:
        classes: Tuple of strings, the names of the class folders, sorted.
        training: List of `File`.
        test: List of `File`; None where the folder has no test/ or val/.
        notes: List of strings, what was left out, for the user.
    """

    classes: tuple[str, ...]
    training: list[File]
    test: list[File] | None
    notes: list[str]


class Examined(NamedTuple):
    """What opening a picture showed: the reasons against it, whether it is grey, the SHA-256 of its bytes.

    A picture with `unusual` traits is sound, and can be converted to a plain one.
    """

    unreadable: str | None
    unusual: str | None
    is_grey: bool
    sha256: str


class Pictures:
    """Pictures that are read from the disk when they are asked for, as uint8 images of one size.

    Args:
        files: Sequence of `File`.
        size: Int, height and width in pixels.
        channels: Int, 1 or 3.

    Attributes:
        shape: Tuple, `(n, height, width, channels)`.
        failures: List of strings, why a picture that was sound before could not be read.

    Example:

    >>> import cv2, tempfile
    >>> path = Path(tempfile.mkdtemp(), "flat.png")
    >>> cv2.imwrite(str(path), np.full((40, 60, 3), 7, np.uint8))
    True
    >>> pictures = Pictures([File(path, 0)], size=32, channels=1)
    >>> pictures.shape, np.unique(pictures.read([0])).tolist()
    ((1, 32, 32, 1), [7])
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, files: Sequence[File], size: int, channels: int, *, _sizes: tuple[int, ...] = ()):
        self.files = files
        self.channels = channels
        self.sizes = _sizes or (size,)
        self.failures: list[str] = []

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, rows: slice) -> Pictures:
        return self._like(self.files[rows], self.sizes)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        size = self.sizes[-1]
        return len(self.files), size, size, self.channels

    def at(self, size: int) -> Pictures:
        """The same pictures, resized once more."""
        return self if size == self.sizes[-1] else self._like(self.files, (*self.sizes, size))

    def read(self, rows: Iterable[int]) -> np.ndarray:
        """Read some of them.

        Args:
            rows: Iterable of ints.

        Returns:
            uint8 array of shape `(rows, height, width, channels)`.

        Raises:
            UnusablePicture: If one cannot be read any more.
        """
        return np.stack([self._image(self.files[row]) for row in rows])

    def read_all(self, progress: Callable[[Iterator], Iterable]) -> np.ndarray:
        """Read all of them, on all processors.

        Args:
            progress: Callable that takes an iterator with one item per picture, and passes it on.
        """
        images = np.empty(self.shape, np.uint8)
        for row, image in enumerate(progress(in_threads(self._image, self.files))):
            images[row] = image
        return images

    def _like(self, files: Sequence[File], sizes: tuple[int, ...]) -> Pictures:
        pictures = Pictures(files, sizes[0], self.channels, _sizes=sizes)
        pictures.failures = self.failures
        return pictures

    def _image(self, file: File) -> np.ndarray:
        try:
            image = decoded(file.path.read_bytes(), self.channels, file.converted)
        except (OSError, UnusablePicture) as error:
            reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
            self.failures.append(f"{file.path} was read before and cannot be read now: {reason}.")
            raise UnusablePicture(self.failures[-1]) from error
        for size in self.sizes:
            image = resized(image, size)
        return image


# Listing ---------------------------------------------------------------------------------------------------


def listed(folder: str | os.PathLike[str]) -> Listing:
    """Find the pictures of a folder and their classes.

    The folder has a folder for each class, with pictures in it at any depth; or `train` and `test` (or `val`)
    with these folders in them. Hidden files and folders are left out.

    Args:
        folder: Path of the folder.

    Raises:
        ValueError: If it cannot be a set of classes: fewer than two, one without pictures, two whose names
            differ only in case, other classes to test on, a circular link, parts of data for classes.
        OSError: If a folder cannot be read.
    """
    folder = Path(folder)
    training, test, notes = _parts(folder)
    classes = _class_names(training)
    _refuse_names(classes, training)
    left_out: collections.Counter[str] = collections.Counter()
    loose: list[Path] = []
    listing = Listing(
        classes,
        _files(training, classes, left_out, loose),
        None if test is None else _test_files(training, test, classes, left_out, loose),
        notes,
    )
    if loose:
        notes.append(f"pictures outside of the class folders are left out: {_some(loose)}")
    if left_out:
        endings = ", ".join(sorted(left_out))
        count = left_out.total()
        number, are = ("1 file that is", "is") if count == 1 else (f"{count:,} files that are", "are")
        notes.append(f"{number} not {kinds()} {are} left out ({endings})")
    return listing


def _parts(folder: Path) -> tuple[Path, Path | None, list[str]]:
    """The folder to train on, the one to test on, and what is left out."""
    inner = {entry.name: entry for entry in _folders(folder)}
    test = next((inner[name] for name in ("test", "val") if name in inner), None)
    if "train" not in inner or (test is None and len(inner) > 1):
        _refuse_parts(folder, list(inner))
        return folder, None, []
    others = [name for name, entry in inner.items() if name != "train" and entry != test]
    notes = [f"of {folder}, the folders {', '.join(others)} are left out"] if others else []
    return inner["train"], test, notes


def _refuse_parts(folder: Path, names: Sequence[str]) -> None:
    """See that folders to train and to test on, called otherwise, are not taken for two classes."""
    training = [name for name in names if name.casefold() in TRAINING_NAMES]
    test = [name for name in names if name.casefold() in TEST_NAMES]
    if training and test:
        raise ValueError(
            f"{folder} holds the folders {training[0]!r} and {test[0]!r}: call them 'train' and 'test' "
            "(or 'val') if they are to train and to test on, and otherwise if they are classes."
        )


def _class_names(folder: Path) -> tuple[str, ...]:
    names = tuple(sorted(entry.name for entry in _folders(folder)))
    if len(names) >= 2:
        return names
    found = f"one folder, {names[0]!r}" if names else "no folder"
    raise ValueError(
        f"{folder} holds {found}; expected one folder of pictures for each class, of two classes or more: "
        f"{folder}/cat/1.jpg, {folder}/dog/2.jpg. Move the pictures into such folders."
    )


def _refuse_names(names: Sequence[str], folder: Path) -> None:
    """See that no two names are the same to a reader or to another system, and that all can be shown."""
    seen: dict[str, str] = {}
    for name in names:
        plain = unicodedata.normalize("NFKC", name)
        if not plain.translate(dict.fromkeys(map(ord, JOINERS))).isprintable() or name.strip() != name:
            raise ValueError(
                f"{str(folder / name)!r}: a class name must be printable, without spaces around it. Rename "
                "the folder."
            )
        key = plain.casefold()
        if key in seen:
            raise ValueError(
                f"{folder} holds the classes {seen[key]!r} and {name!r}, whose names differ only in case or "
                "form: merge the two folders, or rename one."
            )
        seen[key] = name


def _files(
    folder: Path, classes: Sequence[str], left_out: collections.Counter[str], loose: list[Path]
) -> list[File]:
    """The pictures of all classes; a class without any is an error."""
    files = [
        File(path, label) for label, name in enumerate(classes) for path in _pictures(folder / name, left_out)
    ]
    empty = sorted(set(range(len(classes))) - {file.label for file in files})
    if empty:
        names = ", ".join(repr(classes[label]) for label in empty)
        raise ValueError(f"{folder}: no pictures ({kinds()}) in {names}. Add some, or remove the folder.")
    loose.extend(path for path in sorted(folder.iterdir()) if _is_picture(path) and not path.is_dir())
    return files


def _test_files(
    training: Path,
    test: Path,
    classes: Sequence[str],
    left_out: collections.Counter[str],
    loose: list[Path],
) -> list[File]:
    names = [entry.name for entry in _folders(test)]
    for missing, where, there in (
        (set(names) - set(classes), training, test),
        (set(classes) - set(names), test, training),
    ):
        if missing:
            raise ValueError(
                f"{where} lacks the classes {', '.join(map(repr, sorted(missing)))} of {there}: both need a "
                "folder of the same name for each class."
            )
    return _files(test, classes, left_out, loose)


def _pictures(
    folder: Path, left_out: collections.Counter[str], above: tuple[str, ...] = ()
) -> Iterator[Path]:
    """The paths of all pictures under a folder, sorted; endings of other files are counted."""
    here = os.path.realpath(folder)
    if here in above:
        raise ValueError(f"{folder} is a circular link: it leads back to {here}. Remove the link.")
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _pictures(path, left_out, (*above, here))
        elif _is_picture(path):
            yield path
        else:
            left_out[path.suffix.lower() or "no ending"] += 1


def _folders(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.is_dir() and not _is_passed_over(path.name)]


def _is_passed_over(name: str) -> bool:
    """Whether it is a folder that programs leave behind, no class."""
    return name.startswith(".") or name in LEFT_BEHIND


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".")


def pictures_under(folder: str | os.PathLike[str]) -> list[Path]:
    """All pictures under a folder, sorted.

    Raises:
        ValueError: If there is a circular link.
    """
    return list(_pictures(Path(folder), collections.Counter()))


def kinds() -> str:
    """The endings that a picture may have, for people."""
    return f"{', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"


def _some(paths: Sequence[Path]) -> str:
    more = len(paths) - 3
    return ", ".join(map(str, paths[:3])) + (f" and {more:,} more" if more > 0 else "")


# Splitting -------------------------------------------------------------------------------------------------


def shuffled(files: Sequence[File], seed: int) -> list[File]:
    """The same files in a random order, the same for the same seed."""
    return [files[row] for row in np.random.default_rng(seed).permutation(len(files))]


def split(files: Sequence[File], share: float, seed: int) -> tuple[list[File], list[File]]:
    """Hold out a share of every class, the same for the same seed.

    Args:
        files: Sequence of `File`.
        share: Float above 0 and below 1. Of a class of n pictures `round(share * n)` are held out, at least
            one and at most n - 1.
        seed: Int.

    Returns:
        The files that are left, and those that are held out, in their order.

    Raises:
        ValueError: If a class has fewer than two pictures.

    Example:

    >>> files = [File(Path(f"{number}.png"), number % 2) for number in range(20)]
    >>> left, held_out = split(files, 0.2, seed=42)
    >>> len(left), sorted(file.label for file in held_out)
    (16, [0, 0, 1, 1])
    """
    by_class: dict[int, list[int]] = {}
    for row, file in enumerate(files):
        by_class.setdefault(file.label, []).append(row)
    chosen: set[int] = set()
    for label, rows in by_class.items():
        if len(rows) < 2:
            raise ValueError(
                f"{files[rows[0]].path.parent} has one picture, and a class needs two: one to train on and "
                "one to test on."
            )
        count = min(max(round(share * len(rows)), 1), len(rows) - 1)
        chosen.update(np.random.default_rng((seed, label)).permutation(rows)[:count].tolist())
    left = [file for row, file in enumerate(files) if row not in chosen]
    return left, [file for row, file in enumerate(files) if row in chosen]


# Opening ---------------------------------------------------------------------------------------------------


def examined(files: Sequence[File], progress: Callable[[Iterator], Iterable]) -> list[Examined]:
    """Open every picture and decode it once.

    Args:
        files: Sequence of `File`.
        progress: Callable that takes an iterator with one item per picture, and passes it on.
    """
    from PIL import Image

    with warnings.catch_warnings():  # for all threads: of what is in a picture, the reasons tell
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return list(progress(in_threads(_examined_file, files)))


def _examined_file(file: File) -> Examined:
    try:
        content = file.path.read_bytes() if not file.path.is_fifo() else b""
    except OSError as error:
        return Examined(f"it cannot be opened ({error.strerror})", None, True, "")
    return examine(content)


def examine(content: bytes) -> Examined:
    """What speaks against using a picture as it is.

    Args:
        content: Bytes, those of its file.
    """
    from PIL import Image

    sha256 = hashlib.sha256(content).hexdigest()
    try:
        if not content:
            raise UnusablePicture("it is empty")
        with Image.open(io.BytesIO(content)) as picture:
            if picture.format not in FORMATS:
                raise UnusablePicture(f"its format is {picture.format}, not PNG, JPEG, BMP or WebP")
            if picture.width * picture.height > MOST_PIXELS:
                raise UnusablePicture(f"it has {picture.width:,} x {picture.height:,} pixels")
            unusual = _unusual(picture, content)
            picture.load()
            is_grey = picture.mode in GREY_MODES
        if not unusual:
            decoded(content, 1 if is_grey else 3)
    except Exception as error:  # whatever a damaged file makes the decoders raise
        return Examined(_reason(error), None, True, sha256)
    return Examined(None, unusual, is_grey, sha256)


def _unusual(picture: Any, content: bytes) -> str | None:
    """What makes a sound picture other than 8-bit grey or colour, upright and still; None if nothing."""
    traits = []
    if picture.mode.startswith("I") or (picture.format == "PNG" and content[PNG_DEPTH] == 16):
        traits.append("16 bits per channel")
    if picture.mode not in (*GREY_MODES, "RGB", "RGBA", "P", "PA", "RGBX"):
        traits.append(f"its colours are {picture.mode}")
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        traits.append("an alpha channel")
    if picture.getexif().get(ORIENTATION) not in UPRIGHT:
        traits.append("rotated by EXIF")
    if picture.format != "MPO" and getattr(picture, "n_frames", 1) > 1:
        traits.append(f"animated, {picture.n_frames} frames")
    return "; ".join(traits) or None


def _reason(error: Exception) -> str:
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnusablePicture):
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        return "it is not a picture, or its first bytes are damaged"
    if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError):
        return f"it has more than {MOST_PIXELS:,} pixels"
    text = " ".join(str(error).split())
    return f"it is truncated or damaged ({text or type(error).__name__})"


def decoded(content: bytes, channels: int, converted: bool = False) -> np.ndarray:
    """Decode a picture with OpenCV.

    Args:
        content: Bytes, those of its file.
        channels: Int, 1 for grey or 3 for red, green and blue.
        converted: Bool, whether it is one with unusual traits: it is turned upright, its first frame is
            taken, its alpha channel is laid on white, and 16 bits become 8.

    Returns:
        uint8 array of shape `(height, width, channels)`.

    Raises:
        UnusablePicture: If it cannot be decoded.
    """
    import cv2

    if converted:
        plain = _plain(content)
        return plain if channels == 3 else cv2.cvtColor(plain, cv2.COLOR_RGB2GRAY)[..., np.newaxis]
    way = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), way)
    except cv2.error as error:
        raise UnusablePicture(f"OpenCV cannot decode it ({error.err})") from error
    if image is None:
        raise UnusablePicture("OpenCV cannot decode it")
    return image[..., np.newaxis] if channels == 1 else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _plain(content: bytes) -> np.ndarray:
    """A picture with unusual traits as uint8 red, green and blue."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(content)) as picture:
            upright: Any = ImageOps.exif_transpose(picture)
        if upright.mode.startswith("I"):
            upright = Image.fromarray((np.asarray(upright).astype(int) >> 8).astype(np.uint8))
        upright = upright.convert("RGBA")
        on_white = Image.new("RGBA", upright.size, "white")
        on_white.alpha_composite(upright)
        return np.asarray(on_white.convert("RGB"))
    except Exception as error:  # whatever a damaged file makes the decoders raise
        raise UnusablePicture(_reason(error)) from error


def resized(image: np.ndarray, size: int) -> np.ndarray:
    """Resize with OpenCV to `size` x `size`: each side by area averages down, bilinearly up.

    Args:
        image: uint8 array of shape `(height, width)` or `(height, width, channels)`.
        size: Int, pixels.

    Returns:
        uint8 array of shape `(size, size, channels)`.

    Example:

    >>> resized(np.zeros((100, 20, 3), np.uint8), 32).shape
    (32, 32, 3)
    """
    import cv2

    height, width = image.shape[:2]
    down = min(height, size), min(width, size)
    if down != (height, width):
        image = cv2.resize(image, down[::-1], interpolation=cv2.INTER_AREA)
    if down != (size, size):
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
    return image if image.ndim == 3 else image[..., np.newaxis]


def in_threads(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """What the function gives for each item, in their order, computed on all processors."""
    chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
    pool = ThreadPoolExecutor(processors())
    ended = threading.Event()

    def of_chunk(chunk: Sequence[Item]) -> list[Result]:
        return [function(item) for item in chunk if not ended.is_set()]

    try:
        waiting: collections.deque = collections.deque()
        for chunk in chunks:
            waiting.append(pool.submit(of_chunk, chunk))
            if len(waiting) > 4 * processors():
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        ended.set()  # Ctrl-C waits for a picture, not for a chunk of them
        pool.shutdown(wait=True, cancel_futures=True)
