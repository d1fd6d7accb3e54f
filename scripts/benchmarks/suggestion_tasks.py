"""The tasks of suggestions.py: small networks on small data, different in what moves the best rate.

A method may be tuned on the "tune" tasks and is reported on the others; the split was drawn up beforehand.
Both hold every optimizer, classification and regression, images, tables and sequences. A task whose response
was flat, or best at an end of the grid, was made harder or got another grid; no method had been scored on a
reported task by then.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers
from sklearn import datasets, metrics

from pyimagesearch_lr.layers import FusedBatchNormalization
from pyimagesearch_lr.pipeline import fashion_mnist

SGD_RATES = (1e-5, 10.0)
ADAPTIVE_RATES = (1e-6, 1.0)


@dataclass(frozen=True)
class Data:
    """Arrays to train on and to validate on."""

    x: np.ndarray
    y: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray


@dataclass(frozen=True)
class Metric:
    """Points, 0 to 100, higher is better, and what a network that has learnt nothing gets of the targets."""

    name: str
    chance: Callable[[np.ndarray], float]
    points: Callable[[np.ndarray, np.ndarray], float]


def _accuracy(y: np.ndarray, predicted: np.ndarray) -> float:
    return 100 * float(np.mean(predicted.argmax(axis=-1) == y))


def _roc_auc(y: np.ndarray, predicted: np.ndarray) -> float:
    return 100 * float(metrics.roc_auc_score(y, predicted.ravel()))


def _r2(y: np.ndarray, predicted: np.ndarray) -> float:
    return 100 * max(0.0, float(metrics.r2_score(y, predicted.ravel().astype("float64"))))


def _share_of_most_frequent(y: np.ndarray) -> float:
    return 100 * float(np.bincount(y).max() / len(y))


ACCURACY = Metric("accuracy", _share_of_most_frequent, _accuracy)
ROC_AUC = Metric("area under the ROC curve", lambda y: 50.0, _roc_auc)
R2 = Metric("R2, at least 0", lambda y: 0.0, _r2)


@dataclass(frozen=True)
class Task:
    """One thing to learn, with everything but the learning rate.

    Args:
        name: String, also the name of its JSON.
        split: String, "tune" or "report".
        data: Function to `Data`, of the path of the table of wines where it `needs_csv`.
        model: Function to a model that is not compiled.
        optimizer: Function of a learning rate to an optimizer.
        batch_size: Int.
        budget_steps: Int, how many steps a training takes, a multiple of 20.
        loss: String, Keras's name of the loss.
        metric: `Metric` of the validation data.
        rates: Tuple of floats, between which the grid of `max_lr` lies.
        needs_csv: Bool, whether `data` takes the path of a table.
    """

    name: str
    split: str
    data: Callable[..., Data]
    model: Callable[[], keras.Model]
    optimizer: Callable[..., keras.optimizers.Optimizer]
    batch_size: int
    budget_steps: int
    loss: str = "sparse_categorical_crossentropy"
    metric: Metric = ACCURACY
    rates: tuple[float, float] = SGD_RATES
    needs_csv: bool = False


# ---- data


@cache
def _fashion(count: int, validation: int = 2000) -> Data:
    """Images of 14x14: the mean of every 2x2 pixels."""
    (x, y), (x_test, y_test) = fashion_mnist.load_data()
    return Data(_halved(x[:count]), y[:count], _halved(x_test[:validation]), y_test[:validation])


def _halved(images: np.ndarray) -> np.ndarray:
    blocks = images.reshape(-1, 14, 2, 14, 2, 1).mean(axis=(2, 4), dtype="float32")
    return (blocks - 73) / 90


def _parted(x: np.ndarray, y: np.ndarray, train: int, seed: int = 0) -> Data:
    """Shuffled, standardised by the training part, and parted."""
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = x[order].astype("float32"), y[order]
    mean, deviation = x[:train].mean(axis=0), x[:train].std(axis=0)
    x = (x - mean) / np.where(deviation > 0, deviation, 1)
    return Data(x[:train], y[:train], x[train:], y[train:])


def _digits() -> Data:
    return _parted(*datasets.load_digits(return_X_y=True), train=1024)


def _breast_cancer() -> Data:
    return _parted(*datasets.load_breast_cancer(return_X_y=True), train=256)


def _diabetes() -> Data:
    data = _parted(*datasets.load_diabetes(return_X_y=True), train=256)
    return _standard_targets(data)


def _friedman(make: Callable, count: int, noise: float) -> Data:
    data = _parted(*make(n_samples=count + 2000, noise=noise, random_state=0), train=count)
    return _standard_targets(data)


def _standard_targets(data: Data) -> Data:
    mean, deviation = data.y.mean(), data.y.std()
    y, y_validation = (((part - mean) / deviation).astype("float32") for part in (data.y, data.y_validation))
    return Data(data.x, y, data.x_validation, y_validation)


def _imbalanced(count: int, share: float, features: int) -> Data:
    x, y = datasets.make_classification(
        n_samples=count + 4000,
        n_features=features,
        n_informative=features // 2,
        n_clusters_per_class=4,
        weights=[1 - share],
        flip_y=0.002,
        random_state=0,
    )
    return _parted(x, y, train=count)


def _wine(csv: str | None) -> Data:
    """Of the table of wines, whether a wine's quality is 7 or more; rows with gaps are left out."""
    if csv is None:
        raise FileNotFoundError("the table of wines is passed by path: --csv winequalityN.csv")
    lines = Path(csv).read_text(encoding="utf-8").replace("white", "0").replace("red", "1").splitlines()
    table = np.genfromtxt(lines[1:], delimiter=",")
    table = table[np.isfinite(table).all(axis=1)]
    return _parted(table[:, :-1], (table[:, -1] >= 7).astype("int32"), train=4096)


def _second_order(count: int, length: int = 8, tokens: int = 12) -> Data:
    """Sequences in which two tokens mostly settle the next one; the class is the token that follows."""
    rng = np.random.default_rng(0)
    follows = rng.integers(0, tokens, (tokens, tokens))
    x = rng.integers(0, tokens, (count + 4000, length + 1))
    settled = rng.random(x.shape) < 0.7
    for place in range(2, length + 1):
        expected = follows[x[:, place - 2], x[:, place - 1]]
        x[:, place] = np.where(settled[:, place], expected, x[:, place])
    x, y = x[:, :-1], x[:, -1]
    return Data(x[:count], y[:count], x[count:], y[count:])


def _most_frequent(count: int, length: int = 24) -> Data:
    """Tokens 0 to 7; the class is the most frequent one."""
    x = np.random.default_rng(0).integers(0, 8, (count + 2000, length))
    y = (x[:, :, None] == np.arange(8)).sum(axis=1).argmax(axis=1)
    return Data(x[:count], y[:count], x[count:], y[count:])


# ---- networks


def _norm():
    """Batch normalisation whose averages follow within 200 steps."""
    return FusedBatchNormalization(momentum=0.9)


def _mlp(shape: tuple, widths: tuple, activation: str = "relu", outputs: int = 10, last: str = "softmax"):
    inputs = keras.Input(shape)
    x = layers.Flatten()(inputs) if len(shape) > 1 else inputs
    for width in widths:
        x = layers.Dense(width, activation=activation)(x)
    return keras.Model(inputs, layers.Dense(outputs, activation=last)(x))


def _cnn(batch_norm: bool):
    inputs = x = keras.Input((14, 14, 1))
    for filters in (8, 16, 16):
        x = layers.Conv2D(filters, 3, padding="same")(x)
        x = _norm()(x) if batch_norm else x
        x = layers.MaxPooling2D()(layers.Activation("relu")(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.Flatten()(x)))


def _residual(filters: int = 8, blocks: int = 2):
    inputs = keras.Input((14, 14, 1))
    x = layers.Conv2D(filters, 3, strides=2, padding="same")(inputs)
    for _ in range(blocks):
        y = layers.Activation("relu")(_norm()(x))
        y = layers.Conv2D(filters, 3, padding="same")(y)
        y = layers.Activation("relu")(_norm()(y))
        x = layers.Add()([x, layers.Conv2D(filters, 3, padding="same")(y)])
    x = layers.GlobalAveragePooling2D()(layers.Activation("relu")(_norm()(x)))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def _narrow_minigooglenet(share: int = 16):
    """MiniGoogLeNet's modules in their order, with a 16th of the filters, for images of 14x14."""

    def conv(x, filters, size, strides=1, padding="same"):
        x = layers.Conv2D(max(2, filters // share), size, strides=strides, padding=padding)(x)
        return layers.Activation("relu")(_norm()(x))

    def inception(x, filters_1x1, filters_3x3):
        return layers.Concatenate()([conv(x, filters_1x1, 1), conv(x, filters_3x3, 3)])

    def downsample(x, filters):
        return layers.Concatenate()([conv(x, filters, 3, 2, "valid"), layers.MaxPooling2D(3, 2)(x)])

    inputs = keras.Input((14, 14, 1))
    x = conv(inputs, 96, 3)
    for filters in ((32, 32), (32, 48)):
        x = inception(x, *filters)
    x = downsample(x, 80)
    for filters in ((112, 48), (96, 64), (80, 80), (48, 96)):
        x = inception(x, *filters)
    x = downsample(x, 96)
    for filters in ((176, 160), (176, 160)):
        x = inception(x, *filters)
    x = layers.Flatten()(layers.Dropout(0.5)(layers.AveragePooling2D(2)(x)))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x), name="narrow_minigooglenet")


class _Places(layers.Layer):
    """Adds a learnt vector for each place in the sequence."""

    def build(self, shape):
        self.places = self.add_weight(shape=shape[1:], initializer="uniform")

    def call(self, x):
        return x + self.places


def _transformer(length: int, tokens: int, classes: int, width: int = 16, blocks: int = 1):
    inputs = keras.Input((length,), dtype="int32")
    x = _Places()(layers.Embedding(tokens, width)(inputs))
    for _ in range(blocks):
        y = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(2, width // 2)(y, y)
        y = layers.Dense(4 * width, activation="gelu")(layers.LayerNormalization()(x))
        x = x + layers.Dense(width)(y)
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))


def _recurrent(cell: type, length: int, tokens: int, classes: int, width: int = 24):
    inputs = keras.Input((length,), dtype="int32")
    x = cell(width, unroll=True)(layers.Embedding(tokens, 16)(inputs))
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))


# ---- the tasks

_momentum = partial(keras.optimizers.SGD, momentum=0.9)
_sgd = keras.optimizers.SGD
_adam = keras.optimizers.Adam
_adamw = partial(keras.optimizers.AdamW, weight_decay=0.01)
_rmsprop = keras.optimizers.RMSprop

_clothes = partial(_fashion, 4096)
_pairs = partial(_second_order, 16384)
_counts = partial(_most_frequent, 8192)
_friedman1 = partial(_friedman, datasets.make_friedman1, 2048, 1.0)
_friedman3 = partial(_friedman, datasets.make_friedman3, 4096, 0.1)
_rare, _rarer = partial(_imbalanced, 8192, 0.04, 20), partial(_imbalanced, 8192, 0.02, 30)

_mlp_of_images = partial(_mlp, (14, 14, 1), (64, 64, 64))
_deep_tanh = partial(_mlp, (64,), (48,) * 6, "tanh")
_scalar = partial(_mlp, outputs=1, last="linear")
_binary = partial(_mlp, outputs=1, last="sigmoid")
_plain_cnn, _normed_cnn = partial(_cnn, False), partial(_cnn, True)
_pairs_gru, _pairs_lstm = (partial(_recurrent, cell, 8, 12, 12) for cell in (layers.GRU, layers.LSTM))
_pairs_transformer, _counts_transformer = partial(_transformer, 8, 12, 12), partial(_transformer, 24, 8, 8)

_adaptive = {"rates": ADAPTIVE_RATES}
_regression = {"loss": "mean_squared_error", "metric": R2}
_detection = {"loss": "binary_crossentropy", "metric": ROC_AUC}
_table = {"needs_csv": True, **_detection}

# fmt: off
TASKS = [
    Task("digits_mlp_momentum", "tune", _digits, partial(_mlp, (64,), (64, 64)), _momentum, 32, 160),
    Task("fashion_cnn_bn_adam", "tune", _clothes, _normed_cnn, _adam, 64, 200, **_adaptive),
    Task("friedman1_mlp_rmsprop", "tune", _friedman1, partial(_scalar, (10,), (64, 64)), _rmsprop, 64, 240,
         **_regression, **_adaptive),
    Task("second_order_gru_adamw", "tune", _pairs, _pairs_gru, _adamw, 128, 240, **_adaptive),
    Task("imbalanced_mlp_sgd", "tune", _rare, partial(_binary, (20,), (64, 64)), _sgd, 512, 300,
         **_detection, rates=(1e-4, 100.0)),
    Task("fashion_residual_momentum", "tune", _clothes, _residual, _momentum, 128, 200),
    Task("most_frequent_transformer_adam", "tune", _counts, _counts_transformer, _adam, 64, 300, **_adaptive),

    Task("diabetes_mlp_momentum", "report", _diabetes, partial(_scalar, (10,), (32, 32)), _momentum, 16, 100,
         **_regression),
    Task("friedman1_mlp_sgd", "report", _friedman1, partial(_scalar, (10,), (64, 64, 64)), _sgd, 32, 300,
         **_regression),
    Task("friedman3_mlp_adam", "report", _friedman3, partial(_scalar, (4,), (64, 64), "tanh"), _adam, 256,
         300, **_regression, **_adaptive),
    Task("imbalanced_mlp_adamw", "report", _rarer, partial(_binary, (30,), (64, 64)), _adamw, 256, 200,
         **_detection, **_adaptive),
    Task("wine_mlp_rmsprop", "report", _wine, partial(_binary, (12,), (64, 64)), _rmsprop, 32, 240,
         **_table, **_adaptive),
    Task("wine_mlp_sgd", "report", _wine, partial(_binary, (12,), (32, 32, 32), "tanh"), _sgd, 128, 400,
         **_table),
    Task("digits_deep_tanh_momentum", "report", _digits, _deep_tanh, _momentum, 512, 100),
    Task("breast_cancer_mlp_adam", "report", _breast_cancer, partial(_binary, (30,), (16, 16, 16)), _adam, 16,
         60, **_detection, **_adaptive),
    Task("fashion_mlp_sgd", "report", _clothes, _mlp_of_images, _sgd, 64, 240),
    Task("fashion_cnn_momentum", "report", _clothes, _plain_cnn, _momentum, 32, 300),
    Task("fashion_cnn_bn_sgd", "report", _clothes, _normed_cnn, _sgd, 16, 300),
    Task("second_order_gru_momentum", "report", _pairs, _pairs_gru, _momentum, 64, 300),
    Task("second_order_lstm_rmsprop", "report", _pairs, _pairs_lstm, _rmsprop, 64, 300, **_adaptive),
    Task("second_order_transformer_adamw", "report", _pairs, _pairs_transformer, _adamw, 128, 300,
         **_adaptive),
    Task("fashion_cnn_adam", "report", _clothes, _plain_cnn, _adam, 128, 200, **_adaptive),
    Task("fashion_residual_adamw", "report", _clothes, _residual, _adamw, 64, 200, **_adaptive),
    Task("fashion_minigooglenet_momentum", "report", _clothes, _narrow_minigooglenet, _momentum, 32, 200),
    Task("most_frequent_transformer_momentum", "report", _counts, _counts_transformer, _momentum, 32, 400),
    Task("fashion_minigooglenet_rmsprop", "report", _clothes, _narrow_minigooglenet, _rmsprop, 16, 200,
         **_adaptive),
]
# fmt: on
