"""A script written against the tutorial's names runs with only its import lines changed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import cv2
import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from sklearn.metrics import classification_report
from sklearn.preprocessing import LabelBinarizer

from pyimagesearch_lr import CyclicLR, LearningRateFinder, MiniGoogLeNet
from pyimagesearch_lr.pipeline import fashion_mnist

LABELS = ["top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]
BATCH_SIZE = 16
STEP_SIZE = 1
NUM_EPOCHS = 2
MIN_LR, MAX_LR = 1e-4, 1e-2

# Keras's ImageDataGenerator asks SciPy for its function under an old name:
pytestmark = pytest.mark.filterwarnings("ignore:Please import `affine_transform` from:DeprecationWarning")


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    keras.utils.set_random_seed(42)
    yield
    plt.close("all")


def small_data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sixty-four training and twenty test images, prepared as the tutorial does it."""
    ((trainX, trainY), (testX, testY)) = fashion_mnist.load_sample()
    trainX, trainY, testX, testY = trainX[:64], trainY[:64], testX[:20], testY[:20]
    trainX = np.array([cv2.resize(image, (32, 32)) for image in trainX])
    testX = np.array([cv2.resize(image, (32, 32)) for image in testX])
    trainX = trainX.reshape((len(trainX), 32, 32, 1)).astype("float32") / 255.0
    testX = testX.reshape((len(testX), 32, 32, 1)).astype("float32") / 255.0
    binarizer = LabelBinarizer()
    return trainX, binarizer.fit_transform(trainY), testX, binarizer.transform(testY)


def augmentation() -> ImageDataGenerator:
    return ImageDataGenerator(
        width_shift_range=0.1, height_shift_range=0.1, horizontal_flip=True, fill_mode="nearest"
    )


def compiled_model() -> keras.Model:
    opt = keras.optimizers.SGD(learning_rate=MIN_LR, momentum=0.9)
    model = MiniGoogLeNet.build(width=32, height=32, depth=1, classes=10)
    model.compile(loss="categorical_crossentropy", optimizer=opt, metrics=["accuracy"])
    return model


def small_model() -> keras.Model:
    """In place of the real network where only the data and the calls are of interest."""
    hidden = [keras.layers.Flatten(), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
    outputs = keras.layers.Dense(10, activation="softmax")
    model = keras.Sequential([keras.Input((32, 32, 1)), *hidden, outputs])
    model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.SGD(MIN_LR, momentum=0.9))
    return model


def is_png(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_finding_phase_of_the_tutorial_runs(tmp_path):
    (trainX, trainY, _, _) = small_data()
    aug = augmentation()
    model = compiled_model()
    before = model.get_weights()

    lrf = LearningRateFinder(model, stopFactor=4, beta=0.98)
    lrf.find(
        aug.flow(trainX, trainY, batch_size=BATCH_SIZE),
        1e-10,
        1e1,
        epochs=6,
        stepsPerEpoch=np.ceil(len(trainX) / float(BATCH_SIZE)),
        batchSize=BATCH_SIZE,
    )
    lrf.plot_loss(skipBegin=2, skipEnd=1, title="tutorial")
    plt.savefig(tmp_path / "lrfind_plot.png")

    assert type(lrf.lrs) is type(lrf.losses) is list
    assert len(lrf.lrs) == len(lrf.losses) > 0
    # 6 epochs of 64 / 16 = 4 steps: 24 rates, the first 1e-10, 23 equal ratios to 1e+1.
    assert lrf.lrs[0] == pytest.approx(1e-10, rel=1e-6)
    np.testing.assert_allclose(lrf.lrs, 1e-10 * 1e11 ** (np.arange(len(lrf.lrs)) / 23), rtol=1e-5)
    assert is_png(tmp_path / "lrfind_plot.png")
    assert float(model.optimizer.learning_rate) == np.float32(MIN_LR)
    for expected, weight in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_training_phase_of_the_tutorial_runs(tmp_path):
    (trainX, trainY, testX, testY) = small_data()
    aug = augmentation()
    model = compiled_model()

    step_size = STEP_SIZE * (trainX.shape[0] // BATCH_SIZE)
    clr = CyclicLR(mode="triangular", base_lr=MIN_LR, max_lr=MAX_LR, step_size=step_size)
    history = model.fit(
        aug.flow(trainX, trainY, batch_size=BATCH_SIZE),
        validation_data=(testX, testY),
        steps_per_epoch=trainX.shape[0] // BATCH_SIZE,
        epochs=NUM_EPOCHS,
        callbacks=[clr],
        verbose=0,
    )
    predictions = model.predict(testX, batch_size=BATCH_SIZE, verbose=0)
    report = classification_report(
        testY.argmax(axis=1),
        predictions.argmax(axis=1),
        labels=range(10),
        target_names=LABELS,
        zero_division=0,
    )

    plt.figure()
    for name in ("loss", "val_loss", "accuracy", "val_accuracy"):
        plt.plot(np.arange(0, NUM_EPOCHS), history.history[name], label=name)
    plt.legend(loc="lower left")
    plt.savefig(tmp_path / "training_plot.png")

    plt.figure()
    plt.plot(np.arange(0, len(clr.history["lr"])), clr.history["lr"])
    plt.savefig(tmp_path / "clr_plot.png")

    # Half cycles of 4 steps and 2 epochs of 4 steps: up from 1e-4 to 1e-2 and down again, in quarters.
    expected = [1e-4, 0.002575, 0.00505, 0.007525, 1e-2, 0.007525, 0.00505, 0.002575]
    assert len(clr.history["lr"]) == NUM_EPOCHS * len(trainX) // BATCH_SIZE
    assert clr.history["lr"][0] == MIN_LR
    np.testing.assert_allclose(clr.history["lr"], expected, rtol=1e-12)
    assert all(name in report for name in LABELS)
    assert is_png(tmp_path / "training_plot.png")
    assert is_png(tmp_path / "clr_plot.png")


@pytest.mark.parametrize(("steps_per_epoch", "trained"), [(3, [3, 1, 3]), (None, [4, 4, 4])])
def test_keras_trains_every_second_epoch_of_the_tutorial_for_the_steps_that_are_left(
    steps_per_epoch, trained
):
    (trainX, trainY, _, _) = small_data()
    steps: list[int] = []

    class Count(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            steps.append(0)

        def on_train_batch_end(self, batch, logs=None):
            steps[-1] += 1

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Your input ran out of data")
        small_model().fit(
            augmentation().flow(trainX, trainY, batch_size=BATCH_SIZE),
            steps_per_epoch=steps_per_epoch,
            epochs=3,
            callbacks=[Count()],
            verbose=0,
        )
    assert steps == trained


def test_augmented_generator_trains_the_same_after_the_sweep():
    (trainX, trainY, _, _) = small_data()
    weights = []
    for sweep in (False, True):
        keras.utils.set_random_seed(7)
        model = small_model()
        batches = augmentation().flow(trainX, trainY, batch_size=BATCH_SIZE, seed=3)
        if sweep:
            finder = LearningRateFinder(model)
            finder.find(batches, startLR=1e-6, endLR=1e-2, epochs=1, stepsPerEpoch=4, verbose=0)
            batches = augmentation().flow(trainX, trainY, batch_size=BATCH_SIZE, seed=3)
        model.fit(batches, epochs=1, steps_per_epoch=2, verbose=0)
        weights.append(model.get_weights())
    for plain, swept in zip(*weights, strict=True):
        np.testing.assert_allclose(swept, plain, rtol=1e-4, atol=1e-5)


def test_tutorials_default_number_of_epochs_is_kept():
    (trainX, trainY, _, _) = small_data()
    finder = LearningRateFinder(small_model())
    finder.find((trainX, trainY), 1e-10, 1e-9, batchSize=32, sampleSize=3, verbose=0)
    # 64 / 32 = 2 steps an epoch, ceil(3 / 2) = 2 epochs, so 4 steps.
    np.testing.assert_allclose(finder.lrs, np.geomspace(1e-10, 1e-9, 4), rtol=1e-5)


def test_generator_without_its_number_of_steps_is_an_error():
    (trainX, trainY, _, _) = small_data()
    batches = ((trainX[:4], trainY[:4]) for _ in range(8))
    with pytest.raises(ValueError, match=r"`steps_per_epoch` is needed: .* of generator data is not known"):
        LearningRateFinder(small_model()).find(batches, startLR=1e-10, endLR=1e1)
