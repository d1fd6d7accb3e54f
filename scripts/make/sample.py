"""Write pipeline/fashion_mnist_sample.npz: the first images of each class, in a fixed shuffled order.

    python scripts/make/sample.py

Needs the full data where `fashion_mnist.load_data` finds it; the file has the same bytes every time.
"""

from __future__ import annotations

import numpy as np

from pyimagesearch_lr.pipeline import fashion_mnist

TRAINING_IMAGES_A_CLASS = 200
TEST_IMAGES_A_CLASS = 50
SEED = 0


def balanced_rows(labels: np.ndarray, a_class: int) -> np.ndarray:
    """Rows of the first `a_class` images of each class, shuffled."""
    rows = [np.flatnonzero(labels == label)[:a_class] for label in range(len(fashion_mnist.CLASS_NAMES))]
    return np.random.default_rng(SEED).permutation(np.concatenate(rows))


def main() -> None:
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()
    train = balanced_rows(y_train, TRAINING_IMAGES_A_CLASS)
    test = balanced_rows(y_test, TEST_IMAGES_A_CLASS)
    np.savez_compressed(
        fashion_mnist.SAMPLE_FILE,
        x_train=x_train[train],
        y_train=y_train[train],
        x_test=x_test[test],
        y_test=y_test[test],
    )
    print(f"[INFO] {fashion_mnist.SAMPLE_FILE}: {fashion_mnist.SAMPLE_FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
