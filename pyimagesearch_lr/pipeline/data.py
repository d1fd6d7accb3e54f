"""The images of a run: loaded, some held out, in batches."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from typing import TYPE_CHECKING

import numpy as np

from pyimagesearch_lr.pipeline import fashion_mnist, image_batches
from pyimagesearch_lr.pipeline.terminal import info

if TYPE_CHECKING:
    import tensorflow as tf

    from pyimagesearch_lr.pipeline.plan import Plan


class UnusableData(Exception):  # noqa: N818 - the message is the data room's own
    """The images cannot be found, read or trusted; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Data:
    """Images to train and to evaluate on, and the batches that a plan makes of them.

    Args:
        plan: `Plan`, whose batch size, seed and recipe the batches follow.
        train_images: uint8 array of shape `(n, 28, 28)`.
        train_labels: Int array of shape `(n,)`.
        test_images: uint8 array of shape `(m, 28, 28)`, the images to evaluate on.
        test_labels: Int array of shape `(m,)`.
        evaluated_on: String, what those are: "test" or "held-out".
    """

    plan: Plan
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    evaluated_on: str = "test"

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in the training images."""
        return len(self.train_images) // self.plan.settings.batch_size

    @functools.cached_property
    def fingerprint(self) -> str:
        """What tells these images and labels from others."""
        found = hashlib.sha256()
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            found.update(f"{array.shape}".encode())
            found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()[:16]

    def training_batches(
        self, image_size: int, *, drop_remainder: bool = False, start_epoch: int = 0
    ) -> tf.data.Dataset:
        """Augmented batches without end, in the order of the epochs from `start_epoch` on."""
        return image_batches.training_batches(
            image_batches.resize(self.train_images, image_size),
            image_batches.binarize(self.train_labels),
            self.plan.settings.batch_size,
            seed=self.plan.settings.seed,
            whole_pixels=self.plan.recipe.whole_pixels,
            drop_remainder=drop_remainder,
            start_epoch=start_epoch,
        )

    def test_batches(self, image_size: int) -> tf.data.Dataset:
        """The images to evaluate on, once, in their order."""
        images = image_batches.resize(self.test_images, image_size)
        labels = image_batches.binarize(self.test_labels)
        return image_batches.evaluation_batches(images, labels, self.plan.settings.batch_size)

    def holding_out(self, count: int) -> Data:
        """Without the test images: the last `count` training images take their place."""
        images, labels = self.train_images, self.train_labels
        return Data(self.plan, images[:-count], labels[:-count], images[-count:], labels[-count:], "held-out")


def load(plan: Plan) -> Data:
    """The images that the plan asks for.

    Raises:
        UnusableData: If they cannot be had.
        SettingError: If BATCH_SIZE or HOLD_OUT asks for more of them than there are.
    """
    settings = plan.settings
    try:
        if plan.quick:
            info("loading the embedded sample of Fashion-MNIST, not the full data...")
            training, test = fashion_mnist.load_sample()
        else:
            info("loading Fashion-MNIST data...")
            training, test = fashion_mnist.load_data(settings.data_dir)
    except (OSError, ValueError, RuntimeError) as error:
        raise UnusableData(str(error)) from error
    data = Data(plan, *training, *test)
    if settings.hold_out:
        settings.check_leaves_images("hold_out", len(data.train_images))
        info(f"the last {settings.hold_out:,} training images are held out; the test images are not used")
        data = data.holding_out(settings.hold_out)
    settings.check_leaves_images("batch_size", len(data.train_images))
    return data
