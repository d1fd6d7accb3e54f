"""Draws augmented images beside those of the tutorial's ImageDataGenerator, to be compared by eye.

python scripts/make/contact_sheet.py    # writes docs/results/augmentation.png
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from keras.src.legacy.preprocessing.image import ImageDataGenerator

from pyimagesearch_lr.pipeline import fashion_mnist, image_batches, report

PATH = Path(__file__).resolve().parents[2] / "docs" / "results" / "augmentation.png"
ROWS, DRAWS, SEED = 6, 6, 42


def main() -> None:
    (images, labels), _ = fashion_mnist.load_sample()
    chosen = [int(np.flatnonzero(labels == label)[0]) for label in (0, 1, 5, 7, 8, 9)][:ROWS]
    originals = image_batches.resize(images[chosen]).astype("float32") / 255
    generator = ImageDataGenerator(**image_batches.TUTORIAL_AUGMENTATION)
    ours = [image_batches.augment(originals, seed=(SEED, draw)).numpy() for draw in range(DRAWS)]
    np.random.seed(SEED)
    theirs = [np.stack([generator.random_transform(image) for image in originals]) for _ in range(DRAWS)]
    columns = [
        ("original", originals),
        *(("ours", each) for each in ours),
        *(("tutorial", each) for each in theirs),
    ]
    figure, axes = plt.subplots(
        ROWS, len(columns), figsize=(len(columns) * 0.8, ROWS * 0.85), layout="constrained"
    )
    for column, (name, each) in enumerate(columns):
        axes[0, column].set_title(name, fontsize=8)
        for row in range(ROWS):
            axes[row, column].imshow(each[row, ..., 0], cmap="gray_r", vmin=0, vmax=1)
            axes[row, column].axis("off")
    report.save_figure(PATH, figure)


if __name__ == "__main__":
    main()
