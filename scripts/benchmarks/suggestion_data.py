"""Small data for the tasks of suggestion_tasks.py: images, tables and sequences, the same every time."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from sklearn import datasets

from pyimagesearch_lr.pipeline import fashion_mnist


@dataclass(frozen=True)
class Data:
    """Arrays to train on and to validate on."""

    x: np.ndarray
    y: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray


@cache
def fashion(count: int, validation: int = 2000) -> Data:
    """Images of 14x14: the mean of every 2x2 pixels."""
    (x, y), (x_test, y_test) = fashion_mnist.load_data()
    return Data(_halved(x[:count]), y[:count], _halved(x_test[:validation]), y_test[:validation])


def _halved(images: np.ndarray) -> np.ndarray:
    blocks = images.reshape(-1, 14, 2, 14, 2, 1).mean(axis=(2, 4), dtype="float32")
    return (blocks - 73) / 90


def _parted(x: np.ndarray, y: np.ndarray, train: int, seed: int = 0) -> Data:
    """Shuffled, standardised by the training part, and split."""
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = x[order].astype("float32"), y[order]
    mean, deviation = x[:train].mean(axis=0), x[:train].std(axis=0)
    x = (x - mean) / np.where(deviation > 0, deviation, 1)
    return Data(x[:train], y[:train], x[train:], y[train:])


def digits() -> Data:
    return _parted(*datasets.load_digits(return_X_y=True), train=1024)


def breast_cancer() -> Data:
    return _parted(*datasets.load_breast_cancer(return_X_y=True), train=256)


def diabetes() -> Data:
    data = _parted(*datasets.load_diabetes(return_X_y=True), train=256)
    return _standard_targets(data)


def friedman(make: Callable, count: int, noise: float) -> Data:
    data = _parted(*make(n_samples=count + 2000, noise=noise, random_state=0), train=count)
    return _standard_targets(data)


def _standard_targets(data: Data) -> Data:
    mean, deviation = data.y.mean(), data.y.std()
    y, y_validation = (((part - mean) / deviation).astype("float32") for part in (data.y, data.y_validation))
    return Data(data.x, y, data.x_validation, y_validation)


def imbalanced(count: int, share: float, features: int) -> Data:
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


def wine(csv: str | None) -> Data:
    """From the table of wines, whether a wine's quality is 7 or more."""
    table = _wines(csv)
    return _parted(table[:, :-1], (table[:, -1] >= 7).astype("int32"), train=4096)


def wine_quality(csv: str | None) -> Data:
    """From the same table the quality itself."""
    table = _wines(csv)
    return _standard_targets(_parted(table[:, :-1], table[:, -1], train=4096))


def _wines(csv: str | None) -> np.ndarray:
    """The table, without the rows that have gaps."""
    if csv is None:
        raise FileNotFoundError("the table of wines is passed by path: --csv winequalityN.csv")
    lines = Path(csv).read_text(encoding="utf-8").replace("white", "0").replace("red", "1").splitlines()
    table = np.genfromtxt(lines[1:], delimiter=",")
    return table[np.isfinite(table).all(axis=1)]


def second_order(count: int, length: int = 8, tokens: int = 12) -> Data:
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


def most_frequent(count: int, length: int = 24) -> Data:
    """Tokens 0 to 7; the class is the most frequent one."""
    x = np.random.default_rng(0).integers(0, 8, (count + 2000, length))
    y = (x[:, :, None] == np.arange(8)).sum(axis=1).argmax(axis=1)
    return Data(x[:count], y[:count], x[count:], y[count:])


def without_targets(data: Data) -> Data:
    """The inputs as their own targets."""
    return Data(data.x, data.x, data.x_validation, data.x_validation)


def grey_digits() -> Data:
    """Digits as 64 shades of grey between 0 and 1, not standardised."""
    x, y = datasets.load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = (x[order] / 16).astype("float32"), y[order]
    return Data(x[:1024], y[:1024], x[1024:], y[1024:])


def raw_fashion(count: int) -> Data:
    """The same images with pixels from 0 to 255."""
    data = fashion(count)
    return Data(data.x * 90 + 73, data.y, data.x_validation * 90 + 73, data.y_validation)


def masks(count: int, noise: float = 1.5) -> Data:
    """Noisy images and, for each pixel, whether there is cloth."""
    data = fashion(count)
    rng = np.random.default_rng(0)
    parts = []
    for x in (data.x, data.x_validation):
        parts += [(x + noise * rng.normal(size=x.shape)).astype("float32"), (x > -0.7).astype("float32")]
    return Data(*parts)


def few(data: Data, count: int) -> Data:
    """Only the first samples to train on."""
    return Data(data.x[:count], data.y[:count], data.x_validation, data.y_validation)


def one_hot(data: Data, classes: int) -> Data:
    eye = np.eye(classes, dtype="float32")
    return Data(data.x, eye[data.y], data.x_validation, eye[data.y_validation])


def labels(count: int, features: int = 30, classes: int = 8) -> Data:
    """Counts of words, and which of the topics they are about, some at once."""
    x, y = datasets.make_multilabel_classification(
        n_samples=count + 2000, n_features=features, n_classes=classes, n_labels=2, random_state=0
    )
    return _parted(x, y.astype("float32"), train=count)


def counts(count: int, features: int = 8) -> Data:
    """Poisson counts whose logarithm of the mean is a smooth function of the inputs."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count + 2000, features))
    logarithm = 0.7 * x[:, 0] + np.sin(2 * x[:, 1]) + 0.4 * x[:, 2] * x[:, 3]
    return _parted(x, rng.poisson(np.exp(logarithm)).astype("float32"), train=count)


def heavy_tails(count: int) -> Data:
    """Friedman's first function with errors that have no variance."""
    x, y = datasets.make_friedman1(n_samples=count + 2000, noise=0, random_state=0)
    y = (y - y.mean()) / y.std() + 0.3 * np.random.default_rng(0).standard_t(1.5, len(y))
    return _parted(x, y.astype("float32"), train=count)


def directions(count: int, features: int = 12, outputs: int = 6) -> Data:
    """Vectors of length 1 that a two-layer network gives."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count + 2000, features))
    y = np.tanh(x @ rng.normal(size=(features, 16))) @ rng.normal(size=(16, outputs))
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    return _parted(x, y.astype("float32"), train=count)


def sums(count: int, length: int = 16) -> Data:
    """Sequences of numbers of which two are marked; the target is the sum of those."""
    rng = np.random.default_rng(0)
    values = rng.uniform(size=(count + 2000, length))
    marked = rng.random(values.shape).argsort(axis=1) < 2
    x = np.stack([values, marked], axis=-1).astype("float32")
    y = (values * marked).sum(axis=1)
    y = ((y - y.mean()) / y.std()).astype("float32")
    return Data(x[:count], y[:count], x[count:], y[count:])


def moving_waves(count: int, length: int = 32) -> Data:
    """Noisy waves of six frequencies; the class is the frequency."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 6, count + 2000)
    phase = rng.uniform(0, 2 * np.pi, (len(y), 1))
    angle = 2 * np.pi * (y[:, None] + 2) * np.arange(length) / length + phase
    x = (np.sin(angle) + rng.normal(size=angle.shape)).astype("float32")[..., None]
    return Data(x[:count], y[:count], x[count:], y[count:])


def picture(count: int) -> Data:
    """Coordinates of a plane, and the height of a sum of waves there."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (count + 2000, 2))
    heights = rng.normal(size=12) * np.sin(x @ rng.normal(scale=6, size=(2, 12)) + rng.normal(size=12))
    y = heights.sum(axis=1)
    y = ((y - y.mean()) / y.std()).astype("float32")
    x = x.astype("float32")
    return Data(x[:count], y[:count], x[count:], y[count:])


def ratings(count: int, rows: int, columns: int) -> Data:
    """Pairs of a row and a column of a matrix of rank 4, and the entry with noise."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(rows, 4)) @ rng.normal(size=(4, columns)) / 2
    x = np.stack([rng.integers(0, rows, count + 4000), rng.integers(0, columns, count + 4000)], axis=1)
    y = (matrix[x[:, 0], x[:, 1]] + rng.normal(scale=0.2, size=len(x))).astype("float32")
    return Data(x[:count], y[:count], x[count:], y[count:])


def tagged(count: int, length: int = 12, tokens: int = 10) -> Data:
    """Tokens, and for each whether the next equal one is nearer than the last, farther, or missing."""
    x = np.random.default_rng(0).integers(0, tokens, (count + 2000, length))
    same = x[:, :, None] == x[:, None, :]
    steps = np.arange(length)[None, :] - np.arange(length)[:, None]
    ahead = np.where(same & (steps > 0), steps, length).min(axis=2)
    back = np.where(same & (steps < 0), -steps, length).min(axis=2)
    y = np.where((ahead == length) & (back == length), 0, np.where(ahead < back, 1, 2))
    return Data(x[:count], y[:count], x[count:], y[count:])


def next_tokens(count: int, length: int = 12) -> Data:
    """The sequences of `second_order`, and the token after each of theirs."""
    data = second_order(count, length)
    parts = []
    for x, last in ((data.x, data.y), (data.x_validation, data.y_validation)):
        parts += [x, np.concatenate([x[:, 1:], last[:, None]], axis=1)]
    return Data(*parts)


def sets(count: int, members: int = 12, features: int = 3) -> Data:
    """Sets of points, and the logarithm of their weighted mean squared distance from their mean."""
    rng = np.random.default_rng(0)
    scales = rng.uniform(0.3, 3, (count + 2000, 1, features))
    x = (scales * rng.normal(size=(count + 2000, members, features))).astype("float32")
    y = np.log((x.var(axis=1) * [1.0, 2.0, 0.5]).sum(axis=1))
    y = ((y - y.mean()) / y.std()).astype("float32")
    return Data(x[:count], y[:count], x[count:], y[count:])


def amounts(count: int, features: int = 8) -> Data:
    """Positive amounts over some decades, the logarithm of which is a smooth function of the inputs."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count + 2000, features))
    logarithm = 2 + x[:, 0] + np.sin(2 * x[:, 1]) + x[:, 2] * x[:, 3] + rng.normal(scale=0.2, size=len(x))
    return _parted(x, np.exp(logarithm).astype("float32"), train=count)


def past(count: int, length: int = 24) -> Data:
    """Two series of noise, and a sum of products of what they were 3, 7 and 12 steps ago."""
    x = np.random.default_rng(0).normal(size=(count + 2000, length, 2))
    y = x[:, -4, 0] * x[:, -8, 1] + np.sin(2 * x[:, -13, 0]) + 0.5 * x[:, -1, 1]
    y = ((y - y.mean()) / y.std()).astype("float32")
    x = x.astype("float32")
    return Data(x[:count], y[:count], x[count:], y[count:])


def parity(count: int, features: int = 12, counted: int = 3) -> Data:
    """Signs, and whether an odd number of the first few is positive."""
    x = np.random.default_rng(0).choice([-1.0, 1.0], (count + 2000, features)).astype("float32")
    y = ((x[:, :counted] > 0).sum(axis=1) % 2).astype("int32")
    return Data(x[:count], y[:count], x[count:], y[count:])


def softened(data: Data, temperature: float = 4.0) -> Data:
    """The labels' probabilities by the distances from the classes' mean images."""
    means = np.stack([data.x[data.y == label].mean(axis=0) for label in range(10)])
    parts = []
    for x in (data.x, data.x_validation):
        distances = np.square(x[:, None] - means).mean(axis=tuple(range(2, x.ndim + 1)))
        odds = np.exp(-temperature * distances)
        parts += [x, (odds / odds.sum(axis=1, keepdims=True)).astype("float32")]
    return Data(*parts)


def signs(data: Data, classes: int) -> Data:
    """1 for the class and -1 for all others."""
    data = one_hot(data, classes)
    return Data(data.x, 2 * data.y - 1, data.x_validation, 2 * data.y_validation - 1)


def spirals(count: int, turns: float = 1.5, noise: float = 0.03) -> Data:
    """Points of a plane that lie on one of two spirals."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, count + 2000)
    along = np.sqrt(rng.uniform(0.02, 1, len(y)))
    angle = 2 * np.pi * turns * along + np.pi * y
    x = along[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1) + noise * rng.normal(
        size=(len(y), 2)
    )
    return _parted(x, y.astype("int32"), train=count)


def images_of_digits() -> Data:
    data = digits()
    return Data(
        data.x.reshape(-1, 8, 8, 1), data.y, data.x_validation.reshape(-1, 8, 8, 1), data.y_validation
    )


def rows_of_digits() -> Data:
    """The rows of each digit one after the other."""
    data = digits()
    return Data(data.x.reshape(-1, 8, 8), data.y, data.x_validation.reshape(-1, 8, 8), data.y_validation)


def scaled_targets(data: Callable[[], Data], scale: float, mean: float) -> Data:
    """Targets with another mean and deviation."""
    made = data()
    return Data(made.x, made.y * scale + mean, made.x_validation, made.y_validation * scale + mean)


def reversed_tokens(count: int, length: int = 10, tokens: int = 12) -> Data:
    """Sequences, and the same in reverse."""
    x = np.random.default_rng(0).integers(0, tokens, (count + 2000, length))
    y = x[:, ::-1].copy()
    return Data(x[:count], y[:count], x[count:], y[count:])


def pairs_of_digits(count: int = 8192) -> Data:
    """Two digits, and whether they are the same; half of them are."""
    data, rng = digits(), np.random.default_rng(0)

    def paired(x: np.ndarray, y: np.ndarray, pairs: int) -> tuple[np.ndarray, np.ndarray]:
        first = rng.integers(0, len(x), pairs)
        second = rng.integers(0, len(x), pairs)
        for place in np.flatnonzero(rng.random(pairs) < 0.45):
            second[place] = rng.choice(np.flatnonzero(y == y[first[place]]))
        return np.stack([x[first], x[second]], axis=1), (y[first] == y[second]).astype("int32")

    return Data(*paired(data.x, data.y, count), *paired(data.x_validation, data.y_validation, 2000))


def graphs(count: int, nodes: int = 8) -> Data:
    """Random graphs as matrices, and the number of their triangles."""
    rng = np.random.default_rng(0)
    share = rng.uniform(0.2, 0.7, (count + 2000, 1, 1))
    upper = np.triu(rng.random((count + 2000, nodes, nodes)) < share, k=1)
    x = (upper | upper.transpose(0, 2, 1)).astype("float32")
    y = np.trace(x @ x @ x, axis1=1, axis2=2) / 6
    return _standard_targets(Data(x[:count], y[:count], x[count:], y[count:]))


def bags(count: int, members: int = 10) -> Data:
    """Bags of points, and whether one of them lies in a small disc."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count + 2000, members, 2)).astype("float32")
    y = (np.linalg.norm(x - [1.0, 0.5], axis=2) < 0.35).any(axis=1).astype("int32")
    return Data(x[:count], y[:count], x[count:], y[count:])


def digits_of_which_some_are_wrong(share: float = 0.3) -> Data:
    """A share of the labels to train on is drawn at random; those to validate on are right."""
    data, rng = digits(), np.random.default_rng(0)
    y = np.where(rng.random(len(data.y)) < share, rng.integers(0, 10, len(data.y)), data.y)
    return Data(data.x, y, data.x_validation, data.y_validation)


def oscillations(count: int, length: int = 20) -> Data:
    """The sum of two waves that die away, with noise, and what follows four steps later without it."""
    rng = np.random.default_rng(0)
    time = np.arange(length + 4)
    frequency = rng.uniform(0.15, 0.6, (count + 2000, 2, 1))
    phase = rng.uniform(0, 2 * np.pi, frequency.shape)
    waves = (np.sin(frequency * time + phase) * np.exp(-0.02 * time)).sum(axis=1)
    x = waves[:, :length] + 0.05 * rng.normal(size=(len(waves), length))
    x, y = x[..., None].astype("float32"), waves[:, -1]
    return _standard_targets(Data(x[:count], y[:count], x[count:], y[count:]))


def moons(count: int) -> Data:
    x, y = datasets.make_moons(count + 2000, noise=0.2, random_state=0)
    return _parted(x, y.astype("int32"), train=count)


def checkerboard(count: int, fields: int = 4) -> Data:
    """Points of a square, and whether their field is black."""
    x = np.random.default_rng(0).uniform(0, fields, (count + 2000, 2))
    y = np.floor(x).sum(axis=1) % 2
    return _parted(x, y.astype("int32"), train=count)


def preferences(count: int, items: int) -> Data:
    """Pairs of things, and which of both was preferred, the more likely the better it is."""
    rng = np.random.default_rng(0)
    worth = rng.normal(scale=1.5, size=items)
    x = rng.integers(0, items, (count + 2000, 2))
    y = rng.random(len(x)) < 1 / (1 + np.exp(worth[x[:, 1]] - worth[x[:, 0]]))
    y = y.astype("int32")
    return Data(x[:count], y[:count], x[count:], y[count:])


def sorted_tokens(count: int, length: int = 8, tokens: int = 10) -> Data:
    x = np.random.default_rng(0).integers(0, tokens, (count + 2000, length))
    y = np.sort(x, axis=1)
    return Data(x[:count], y[:count], x[count:], y[count:])


def running_parity(count: int, length: int = 12) -> Data:
    """Bits, and whether the number of ones among the last three is odd."""
    x = np.random.default_rng(0).integers(0, 2, (count + 2000, length))
    padded = np.pad(x, ((0, 0), (2, 0)))
    y = (padded[:, 2:] + padded[:, 1:-1] + padded[:, :-2]) % 2
    return Data(x[:count], y[:count], x[count:], y[count:])


def delayed(count: int, length: int = 12, tokens: int = 6, delay: int = 3) -> Data:
    """Tokens, and for each place the one some places before."""
    x = np.random.default_rng(0).integers(0, tokens, (count + 2000, length))
    y = np.pad(x, ((0, 0), (delay, 0)))[:, :length]
    return Data(x[:count], y[:count], x[count:], y[count:])


def series(count: int, length: int = 24) -> Data:
    """A series in which each value depends on the two before, and the next one."""
    rng = np.random.default_rng(0)
    noise = 0.3 * rng.normal(size=(count + 2000, length + 30))
    values = np.zeros_like(noise)
    for place in range(2, values.shape[1]):
        before = 1.2 * values[:, place - 1] - 0.8 * values[:, place - 2]
        values[:, place] = np.tanh(before) + noise[:, place]
    x, y = values[:, -length - 1 : -1, None].astype("float32"), values[:, -1]
    return _standard_targets(Data(x[:count], y[:count], x[count:], y[count:]))


def sparse_linear(count: int, features: int = 100, informative: int = 10) -> Data:
    """A few of many features add up to the target."""
    x, y = datasets.make_regression(
        count + 2000, features, n_informative=informative, noise=20.0, random_state=0
    )
    return _standard_targets(_parted(x, y, train=count))


def bags_of_words(count: int, words: int = 200, topics_: int = 5) -> Data:
    """How often each word occurs in a text, and what it is about."""
    rng = np.random.default_rng(0)
    odds = rng.dirichlet(np.full(words, 0.3), topics_)
    y = rng.integers(0, topics_, count + 2000)
    mixed = 0.3 * odds[y] + 0.7 / words
    x = rng.poisson(20 * mixed).astype("float32")
    return Data(x[:count], y[:count], x[count:], y[count:])


def many_zeros(count: int, features: int = 8) -> Data:
    """Counts, half of which are 0 whatever the inputs."""
    data, rng = counts(count, features), np.random.default_rng(1)
    kept = [(rng.random(len(y)) < 0.5).astype("float32") for y in (data.y, data.y_validation)]
    return Data(data.x, data.y * kept[0], data.x_validation, data.y_validation * kept[1])


def topics(count: int, length: int = 20, words: int = 60, classes: int = 6) -> Data:
    """Texts of words that each topic has in other shares, and the topic."""
    rng = np.random.default_rng(0)
    shares = np.cumsum(0.2 * rng.dirichlet(np.full(words, 0.2), classes) + 0.8 / words, axis=1)
    y = rng.integers(0, classes, count + 2000)
    x = (rng.random((len(y), length, 1)) > shares[y][:, None]).sum(axis=2).clip(0, words - 1)
    return Data(x[:count], y[:count], x[count:], y[count:])


def angles(count: int, features: int = 6) -> Data:
    """Noisy projections of a direction of the plane, and its sine and cosine."""
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, (count + 2000, 1))
    ahead = rng.uniform(0, 2 * np.pi, features)
    x = (
        np.cos(2 * (angle - ahead))
        + 0.5 * np.cos(angle - ahead)
        + 0.1 * rng.normal(size=(len(angle), features))
    )
    y = np.concatenate([np.sin(angle), np.cos(angle)], axis=1).astype("float32")
    return _parted(x, y, train=count)


def determinants(count: int) -> Data:
    """Matrices of 3 rows and columns, and their determinants."""
    x = np.random.default_rng(0).uniform(-1, 1, (count + 2000, 3, 3))
    return _standard_targets(_parted(x.reshape(-1, 9), np.linalg.det(x), train=count))


def shapes(count: int, size: int = 12) -> Data:
    """Noisy pictures of a disc, a ring, a square, a cross or stripes, anywhere."""
    rng = np.random.default_rng(0)
    down, right = np.mgrid[:size, :size]
    y = rng.integers(0, 5, count + 2000)
    centres = rng.uniform(4, size - 5, (len(y), 2))
    radii = rng.uniform(2.5, 4, len(y))
    x = rng.normal(scale=0.6, size=(len(y), size, size, 1))
    for image, label, (row, column), radius in zip(x, y, centres, radii, strict=True):
        dy, dx = down - row, right - column
        far, wide = np.hypot(dy, dx), np.maximum(abs(dy), abs(dx))
        drawn = (
            far < radius,
            abs(far - radius) < 0.8,
            wide < 0.85 * radius,
            (np.minimum(abs(dy), abs(dx)) < 1) & (wide < radius),
            (wide < radius) & (right % 2 == 0),
        )
        image[..., 0] += drawn[label]
    x = x.astype("float32")
    return Data(x[:count], y[:count], x[count:], y[count:])


def spots(count: int, size: int = 12) -> Data:
    """Pictures with up to nine bright spots, and their number."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, count + 2000)
    x = rng.normal(scale=0.2, size=(len(y), size, size, 1))
    for image, number in zip(x, y, strict=True):
        places = rng.choice(36, number, replace=False)
        for place in places:
            row, column = 2 * (place // 6), 2 * (place % 6)
            image[row : row + 2, column : column + 2, 0] += rng.uniform(0.5, 1.5)
    x = x.astype("float32")
    return _standard_targets(Data(x[:count], y[:count], x[count:], y[count:]))


def clean_waves(count: int, length: int = 32) -> Data:
    """Sums of two waves, as their own targets."""
    rng = np.random.default_rng(0)
    frequency = rng.uniform(0.5, 3, (count + 2000, 2, 1))
    phase = rng.uniform(0, 2 * np.pi, frequency.shape)
    x = np.sin(2 * np.pi * frequency * np.arange(length) / length + phase).sum(axis=1).astype("float32")
    return without_targets(Data(x[:count], x[:count], x[count:], x[count:]))


def categories(count: int, columns: int = 6, values: int = 10) -> Data:
    """Columns of categories that add to the target alone, and two of them together."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, values, (count + 2000, columns))
    alone, together = rng.normal(size=(columns, values)), rng.normal(size=(values, values))
    y = alone[np.arange(columns), x].sum(axis=1) + 2 * together[x[:, 0], x[:, 1]]
    y = y + 0.3 * rng.normal(size=len(y))
    return _standard_targets(Data(x[:count], y[:count], x[count:], y[count:]))


def trends(count: int, length: int = 24) -> Data:
    """Random walks, and whether they drift upwards."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, count + 2000)
    steps = rng.normal(size=(len(y), length)) + 0.3 * (2 * y[:, None] - 1)
    x = (0.3 * steps.cumsum(axis=1))[..., None].astype("float32")
    return Data(x[:count], y[:count].astype("int32"), x[count:], y[count:].astype("int32"))


def unscaled_inputs(data: Callable[[], Data]) -> Data:
    """Inputs with other means and deviations, from a tenth to 30."""
    made = data()
    scale = np.geomspace(0.1, 30, made.x.shape[1]).astype("float32")
    return Data(scale * (made.x + 1), made.y, scale * (made.x_validation + 1), made.y_validation)


def faint(scale: float) -> Data:
    """Grey digits with hardly any contrast, as their own targets."""
    data = grey_digits()
    return without_targets(Data(scale * data.x, data.y, scale * data.x_validation, data.y_validation))
