"""The images of a run: loaded, some held out, in batches."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyimagesearch_lr.files import in_a_line, written_whole
from pyimagesearch_lr.pipeline import fashion_mnist, image_batches, image_folder, machine
from pyimagesearch_lr.pipeline.image_folder import File, Pictures
from pyimagesearch_lr.pipeline.terminal import info, muted_stderr, progress

if TYPE_CHECKING:
    import tensorflow as tf

    from pyimagesearch_lr.pipeline.plan import Plan, Settings

MOST_IN_MEMORY = 2 * 10**9  # bytes of images that are kept there, and at most a quarter of the machine's
MOST_SHOWN = 20  # pictures that cannot be used, named on the console
LEFT_OUT = "unusable_pictures.txt"  # all of them, in OUTPUT_DIR


class UnusableData(Exception):  # noqa: N818 - the message is the data room's own
    """The images cannot be found, read or trusted; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Data:
    """Images to train and to evaluate on, and the batches that a plan makes of them.

    Args:
        plan: `Plan`, whose batch size, seed and recipe the batches follow.
        train_images: uint8 array of shape `(n, height, width)` or `(n, height, width, channels)`, or
            `Pictures` that are read from the disk each time.
        train_labels: Int array of shape `(n,)`.
        test_images: As `train_images`, the images to evaluate on.
        test_labels: Int array of shape `(m,)`.
        evaluated_on: String, what those are: "test" or "held-out".
        classes: Sequence of strings, the names of the classes.
        channels: Int, 1 for grey or 3 for colour.
        train_files: Sequence of strings, where the pictures are; None where they are not files.
        test_files: Sequence of strings, likewise.
        digest: String, a hash that tells the files from others; None takes the arrays.
        one_hot: Bool, whether labels are one-hot rows rather than whole numbers.
    """

    plan: Plan
    train_images: np.ndarray | Pictures
    train_labels: np.ndarray
    test_images: np.ndarray | Pictures
    test_labels: np.ndarray
    evaluated_on: str = "test"
    classes: Sequence[str] = fashion_mnist.CLASS_NAMES
    channels: int = 1
    train_files: Sequence[str] | None = None
    test_files: Sequence[str] | None = None
    digest: str | None = None
    one_hot: bool = True

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in the training images."""
        return len(self.train_images) // self.plan.settings.batch_size

    @functools.cached_property
    def fingerprint(self) -> str:
        """What tells these images and labels from others."""
        found = hashlib.sha256()
        if self.digest is not None:
            found.update(f"{self.digest} {self.train_images.shape} {self.test_images.shape}".encode())
            return found.hexdigest()[:16]
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            found.update(f"{array.shape}".encode())
            found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()[:16]

    @property
    def failure(self) -> str | None:
        """Why a picture could not be read in the middle of a run; None if all could."""
        for images in (self.train_images, self.test_images):
            if isinstance(images, Pictures) and images.failures:
                return images.failures[0]
        return None

    def training_batches(self, image_size: int, *, start_epoch: int = 0) -> tf.data.Dataset:
        """Endless augmented batches, epoch by epoch from `start_epoch` on, without the rest of an epoch."""
        return image_batches.training_batches(
            image_batches.resize(self.train_images, image_size),
            self._targets(self.train_labels),
            self.plan.settings.batch_size,
            seed=self.plan.settings.seed,
            shift=self.plan.recipe.shift,
            whole_pixels=self.plan.recipe.whole_pixels,
            alternate_flips=self.plan.recipe.alternate_flips,
            erased=self.plan.recipe.erased,
            drop_remainder=True,
            start_epoch=start_epoch,
        )

    def test_batches(self, image_size: int) -> tf.data.Dataset:
        """The images to evaluate on, once, in their order."""
        images = image_batches.resize(self.test_images, image_size)
        return image_batches.evaluation_batches(
            images, self._targets(self.test_labels), self.plan.settings.batch_size
        )

    def holding_out(self, count: int) -> Data:
        """Without the test images: the last `count` training images take their place."""
        images, labels = self.train_images, self.train_labels
        return dataclasses.replace(
            self,
            train_images=images[:-count],
            train_labels=labels[:-count],
            test_images=images[-count:],
            test_labels=labels[-count:],
            train_files=self.train_files and self.train_files[:-count],
            test_files=self.train_files and self.train_files[-count:],
            evaluated_on="held-out",
        )

    def test_image(self, row: int, image_size: int) -> np.ndarray:
        """One of the images to evaluate on, as a uint8 array of shape `(height, width, channels)`."""
        images = self.test_images
        one = images.read([row]) if isinstance(images, Pictures) else images[row : row + 1]
        return image_batches.resize(one, image_size)[0]

    def _targets(self, labels: np.ndarray) -> np.ndarray:
        return image_batches.binarize(labels, len(self.classes)) if self.one_hot else labels


def load(plan: Plan) -> Data:
    """The images that the plan asks for.

    Raises:
        UnusableData: If they cannot be loaded.
        SettingError: If a batch or HOLD_OUT asks for more of them than there are.
    """
    settings = plan.settings
    try:
        data = _of_folder(plan) if settings.has_own_pictures else _of_fashion_mnist(plan)
    except OSError as error:
        raise UnusableData(in_a_line(error) if error.filename else str(error)) from error
    except (ValueError, RuntimeError) as error:
        raise UnusableData(str(error)) from error
    if settings.hold_out:
        settings.check_leaves_images("hold_out", len(data.train_images))
        info(f"the last {settings.hold_out:,} training images are held out; the test images are not used")
        data = data.holding_out(settings.hold_out)
    plan.check_batch(len(data.train_images))
    return data


# Fashion-MNIST ---------------------------------------------------------------------------------------------


def _of_fashion_mnist(plan: Plan) -> Data:
    settings = plan.settings
    if plan.quick:
        info("loading the embedded sample of Fashion-MNIST, not the full data...")
        training, test = fashion_mnist.load_sample()
    else:
        info("loading Fashion-MNIST data...")
        training, test = fashion_mnist.load_data(settings.data_dir)
    classes = settings.classes or fashion_mnist.CLASS_NAMES
    data = Data(plan, *training, *test, classes=classes)
    if settings.channels != 3:
        return data
    train_images, test_images = (images[..., np.newaxis].repeat(3, axis=-1) for images, _ in (training, test))
    return dataclasses.replace(data, train_images=train_images, test_images=test_images, channels=3)


# A folder of pictures --------------------------------------------------------------------------------------


def _of_folder(plan: Plan) -> Data:
    """The pictures of DATA: all examined, and kept in memory where there is room."""
    settings = plan.settings
    folder = Path(settings.data)
    info(f"loading pictures from {folder}...")
    listing = image_folder.listed(folder)
    for note in listing.notes:
        info(note)
    examined = [_examined(settings, listing.training, "training")]
    if listing.test is not None:
        examined.append(_examined(settings, listing.test, "test"))
    _refuse(settings, examined)
    training, test = examined[0].usable, None if listing.test is None else examined[1].usable
    digest = "".join(part.digest for part in examined)
    channels = settings.channels or (1 if all(part.is_grey for part in examined) else 3)
    if test is None:
        training, test = image_folder.split(training, settings.test_share, settings.seed)
        info(
            f"no test or val folder: {settings.test_share:.0%} of every class, {len(test):,} pictures, are "
            f"held out to evaluate on (SEED = {settings.seed})"
        )
    training = image_folder.shuffled(training, settings.seed)
    size, of = settings.image_size, len(listing.classes)
    colour = "grey" if channels == 1 else "colour"
    names = ", ".join(listing.classes[:10]) + (", ..." if of > 10 else "")
    info(f"{of} classes ({names}), {len(training):,} pictures to train on, {colour}, {size} x {size} pixels")
    parts = [Pictures(files, size, channels) for files in (training, test)]
    return Data(
        plan,
        *_arrays(parts[0], training, fits := _fit_in_memory(parts)),
        *_arrays(parts[1], test, fits),
        evaluated_on="held-out" if listing.test is None else "test",
        classes=listing.classes,
        channels=channels,
        train_files=[_printable(file.path) for file in training],
        test_files=[_printable(file.path) for file in test],
        digest=hashlib.sha256(f"{digest} {channels} {listing.classes}".encode()).hexdigest(),
    )


def _printable(path: Path) -> str:
    """The path as text, also where its bytes are none."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


class _Examined(NamedTuple):
    """What the pictures of a part are like."""

    files: list[File]
    usable: list[File]
    reasons: list[tuple[Path, str]]  # why the others cannot be used
    is_convertible: bool  # whether CONVERT_PICTURES would help some of them
    is_grey: bool
    digest: str  # tells the usable ones from others


def _examined(settings: Settings, files: list[File], part: str) -> _Examined:
    with muted_stderr():  # what decoders in C write there, the reasons tell
        found = image_folder.examined(files, progress(f"examining {part} pictures", len(files)))
    reasons, usable = [], []
    for file, of in zip(files, found, strict=True):
        reason = of.unreadable or (None if settings.convert_pictures else of.unusual)
        if reason is None:
            usable.append((File(file.path, file.label, of.unusual is not None), of))
        else:
            reasons.append((file.path, reason))
    told = [f"{of.sha256} {file.label} {file.converted}" for file, of in usable]
    return _Examined(
        files,
        [file for file, _ in usable],
        reasons,
        not settings.convert_pictures and any(of.unreadable is None and of.unusual for of in found),
        all(of.is_grey for _, of in usable),
        hashlib.sha256("\n".join(told).encode()).hexdigest(),
    )


def _refuse(settings: Settings, parts: list[_Examined]) -> None:
    """List what cannot be used, of all parts; end the run there, unless SKIP_UNREADABLE leaves it out.

    Raises:
        UnusableData: If it may not be left out, or nothing of a class remains.
    """
    lines = [f"{path}: {reason}" for part in parts for path, reason in part.reasons]
    everything = Path(settings.output_dir, LEFT_OUT)
    if not lines:
        everything.unlink(missing_ok=True)  # that of an earlier run
        return
    with written_whole(everything) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="backslashreplace")
    shown = "".join(f"\n  {line}" for line in lines[:MOST_SHOWN])
    more = f"\n  and {len(lines) - MOST_SHOWN:,} more" if len(lines) > MOST_SHOWN else ""
    count = f"{len(lines):,} of {sum(len(part.files) for part in parts):,} pictures"
    if not settings.skip_unreadable:
        convert = (
            "CONVERT_PICTURES = True in config.py turns them upright, lays alpha on white, takes 8 of 16 "
            "bits, the first frame, and red, green and blue of other colours. "
            if any(part.is_convertible for part in parts)
            else ""
        )
        raise UnusableData(
            f"{count} cannot be used as they are:{shown}{more}\n{convert}SKIP_UNREADABLE = True leaves them "
            f"out. All are listed in {everything}."
        )
    info(f"{count} are left out, as SKIP_UNREADABLE says:{shown}{more}\n  all are listed in {everything}")
    for part in parts:
        emptied = {file.label for file in part.files} - {file.label for file in part.usable}
        if emptied:
            example = next(file.path.parent for file in part.files if file.label in emptied)
            raise UnusableData(f"{example} has no picture that can be used. Add some, or remove the folder.")


def _fit_in_memory(parts: list[Pictures]) -> bool:
    needed = sum(int(np.prod(pictures.shape)) for pictures in parts)
    room = min(MOST_IN_MEMORY, (machine.memory() or 4 * MOST_IN_MEMORY) // 4)
    if needed > room:
        info(
            f"the images take {needed / 1e9:.1f} GB, and {room / 1e9:.1f} GB of memory are for them: they "
            "are read from the disk in every epoch"
        )
    return needed <= room


def _arrays(
    pictures: Pictures, files: list[File], in_memory: bool
) -> tuple[np.ndarray | Pictures, np.ndarray]:
    labels = np.array([file.label for file in files])
    if not in_memory:
        return pictures, labels
    return pictures.read_all(progress("reading pictures", len(files))), labels
