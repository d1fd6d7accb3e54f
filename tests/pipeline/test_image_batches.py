"""Images made into batches: each function against another's work, every batch the same for the same seed."""

from __future__ import annotations

import doctest
from itertools import islice

import cv2
import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import sklearn.preprocessing
import tensorflow as tf
from keras.src.legacy.preprocessing.image import ImageDataGenerator

from pyimagesearch_lr.pipeline import fashion_mnist, image_batches


def test_examples_in_the_docstrings_print_what_they_say():
    assert doctest.testmod(image_batches).failed == 0


# Resizing and labels


def test_resize_gives_what_opencv_gives_for_each_image():
    (x_train, _), _ = fashion_mnist.load_sample()
    resized = image_batches.resize(x_train[:20])
    assert resized.shape == (20, 32, 32, 1)
    assert resized.dtype == np.uint8
    for before, after in zip(x_train, resized, strict=False):
        np.testing.assert_array_equal(after[..., 0], cv2.resize(before, (32, 32)))


def test_resize_takes_images_with_a_channel_and_other_sizes():
    flat = np.full((3, 28, 28), 200, np.uint8)
    assert (image_batches.resize(flat[..., np.newaxis], 16) == np.full((3, 16, 16, 1), 200)).all()
    assert image_batches.resize(flat[:0]).shape == (0, 32, 32, 1)


def test_resize_averages_the_area_of_a_pixel_on_the_way_down():
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    blocks = images.reshape(3, 14, 2, 14, 2).mean(axis=(2, 4))
    assert np.abs(image_batches.resize(images, 14)[..., 0] - blocks).max() <= 0.5


def test_resize_refuses_what_it_would_spoil():
    images = np.zeros((2, 28, 28), np.uint8)
    with pytest.raises(TypeError, match=r"must be uint8.*float32"):
        image_batches.resize(images.astype(np.float32))
    with pytest.raises(ValueError, match=r"\(28, 28\)"):
        image_batches.resize(images[0])
    with pytest.raises(ValueError, match=r"\(2, 28, 28, 2\)"):
        image_batches.resize(np.zeros((2, 28, 28, 2), np.uint8))
    with pytest.raises(ValueError, match=r"`resize`: `size` must be a whole number of at least 1.*size=0"):
        image_batches.resize(images, 0)
    with pytest.raises(ValueError, match=r"`size` must be a whole number of at least 1.*32\.5"):
        image_batches.resize(images, 32.5)
    with pytest.raises(TypeError, match=r"`size` must be a number.*'32'"):
        image_batches.resize(images, "32")


def test_binarize_gives_ten_columns_whatever_labels_occur():
    assert image_batches.binarize(np.array([1, 0], np.uint8)).tolist() == [
        [0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]
    assert image_batches.binarize([9]).dtype == np.float32
    assert image_batches.binarize([1, 0], classes=2).tolist() == [[0, 1], [1, 0]]


def test_binarize_gives_what_scikit_learn_gives_for_the_tutorials_labels():
    _, (_, labels) = fashion_mnist.load_sample()
    np.testing.assert_array_equal(
        image_batches.binarize(labels), sklearn.preprocessing.LabelBinarizer().fit_transform(labels)
    )


def test_binarize_refuses_unknown_labels_and_other_shapes():
    with pytest.raises(ValueError, match=r"0 to 9\. Also received: \[10, 12\]"):
        image_batches.binarize([3, 12, 10])
    with pytest.raises(ValueError, match=r"0 to 1\. Also received: \[2\]"):
        image_batches.binarize([0, 1, 2], classes=2)
    with pytest.raises(ValueError, match=r"shape \(n,\)\. Received: shape=\(2, 1\)"):
        image_batches.binarize([[3], [4]])
    with pytest.raises(ValueError, match=r"`classes` must be a whole number of at least 1.*classes=0"):
        image_batches.binarize([0], classes=0)


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
    received = image_batches.shift_and_flip(images, dy, dx, flips).numpy()
    for image, shift, flip, after in zip(images, SHIFTS, flips, received, strict=True):
        expected = scipy.ndimage.shift(image, (*-shift, 0), order=1, mode="nearest")
        np.testing.assert_allclose(after, expected[:, ::-1] if flip else expected, atol=1e-5)


@pytest.mark.filterwarnings("ignore:Please import `affine_transform`:DeprecationWarning")
def test_shift_and_flip_agrees_with_the_image_data_generator_of_keras():
    generator = ImageDataGenerator(fill_mode="nearest")
    images = textured(len(SHIFTS))
    for flip in (False, True):
        received = image_batches.shift_and_flip(images, *SHIFTS.T.astype(np.float32), [flip] * len(SHIFTS))
        for image, (dy, dx), after in zip(images, SHIFTS, received.numpy(), strict=True):
            drawn = {"tx": dx, "ty": dy, "flip_horizontal": flip}
            np.testing.assert_allclose(after, generator.apply_transform(image, drawn), atol=1e-5)


def test_augment_keeps_shape_dtype_and_range_inside_a_graph_of_unknown_sizes():
    images = textured(5, channels=3)
    unknown = tf.TensorSpec((None, None, None, None), tf.float32)
    traced = tf.function(lambda x: image_batches.augment(x, (1, 2)), input_signature=[unknown])
    received = traced(images).numpy()
    assert (received.shape, received.dtype) == (images.shape, images.dtype)
    assert received.min() >= 0
    assert received.max() <= 1
    np.testing.assert_array_equal(received, image_batches.augment(images, (1, 2)))
    assert image_batches.augment(images.astype(np.float16), (1, 2)).dtype == tf.float16


def test_augment_is_a_function_of_its_seed():
    images = textured(5)
    first = image_batches.augment(images, (1, 2)).numpy()
    np.testing.assert_array_equal(first, image_batches.augment(images, (1, 2)))
    assert not np.allclose(first, image_batches.augment(images, (1, 3)))
    assert not np.allclose(first, image_batches.augment(images, (2, 2)))


def test_augment_without_shift_and_flip_changes_nothing():
    images = textured(5)
    np.testing.assert_array_equal(image_batches.augment(images, (1, 2), shift=0.0, flip=False), images)


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
    down, right, flips = moves_seen(image_batches.augment(dots(4000), (3, 4)).numpy(), column=10)
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
    generator = ImageDataGenerator(**image_batches.TUTORIAL_AUGMENTATION)
    theirs = moves_seen(np.stack([generator.random_transform(image) for image in images]), column=4)
    ours = moves_seen(image_batches.augment(images, (6, 7)).numpy(), column=4)
    assert scipy.stats.ks_2samp(ours[0], theirs[0]).pvalue > 0.01
    assert scipy.stats.ks_2samp(ours[1], theirs[1]).pvalue > 0.01
    assert ours[2].mean() == pytest.approx(theirs[2].mean(), abs=0.04)


def test_whole_pixels_move_without_blurring_as_far_as_the_others():
    moved = image_batches.augment(dots(4000), (3, 4), whole_pixels=True).numpy()
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
        image_batches.augment(np.zeros((2, 8, 8, 1), np.uint8), (0, 0))
    with pytest.raises(ValueError, match=r"`shift_and_flip`.*Received: shape=\(2, 8, 8\)"):
        image_batches.shift_and_flip(np.zeros((2, 8, 8), np.float32), [0.0], [0.0], [False])
    for shift in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match=f"in \\[0, 1\\). Received: shift={shift}"):
            image_batches.augment(textured(2), (0, 0), shift=shift)


def test_a_square_of_every_image_becomes_its_mean_and_the_rest_stays():
    images = np.random.default_rng(0).random((400, 20, 20, 3)).astype(np.float32)
    erased = image_batches.erase(images, (3, 4), share=0.3).numpy()
    changed = (erased != images).any(axis=-1)
    means = np.broadcast_to(images.mean((1, 2), keepdims=True), images.shape)
    np.testing.assert_allclose(erased[changed], means[changed], rtol=1e-5)
    for one in changed:
        rows, columns = np.flatnonzero(one.any(1)), np.flatnonzero(one.any(0))
        assert one[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()  # a rectangle
        for places in (rows, columns):
            assert len(places) == 6 or (len(places) >= 3 and (places[0] == 0 or places[-1] == 19))
    # A pixel is in the square for 6 of 20 middles of the rows, and so of the columns; fewer at the edges.
    assert changed[:, 8:12, 8:12].mean() == pytest.approx(0.09, abs=0.02)


def test_erase_is_a_function_of_its_seed_and_takes_unknown_sizes():
    images = textured(6)
    unknown = tf.function(
        lambda x: image_batches.erase(x, (1, 2), 0.5), input_signature=[tf.TensorSpec((None,) * 4)]
    )
    once, again, other = (image_batches.erase(images, seed, 0.5).numpy() for seed in ((1, 2), (1, 2), (1, 3)))
    np.testing.assert_array_equal(once, again)
    np.testing.assert_array_equal(once, unknown(images).numpy())
    assert (once != other).any()
    np.testing.assert_array_equal(image_batches.erase(images, (1, 2), 0.0), images)


def test_erase_refuses_what_it_cannot_do():
    for share in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match=f"`erase`.*in \\[0, 1\\). Received: share={share}"):
            image_batches.erase(textured(2), (0, 0), share)
    with pytest.raises(TypeError, match=r"`erase`.*float type"):
        image_batches.erase(np.zeros((2, 8, 8, 1), np.uint8), (0, 0), 0.5)


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
    batches = take(image_batches.training_batches(*numbered(23), 5), 10)
    orders = [np.concatenate([y for _, y in batches[first : first + 5]]) for first in (0, 5)]
    assert [len(y) for _, y in batches] == [5, 5, 5, 5, 3] * 2
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(23))
    assert len({tuple(order) for order in (*orders, range(23))}) == 3


def test_every_place_in_the_order_is_equally_likely_for_an_image():
    images, labels = numbered(8)
    batches = take(image_batches.training_batches(images, labels, 8, augmented=False), 800)
    counts = np.zeros((8, 8))
    for _, y in batches:
        counts[np.arange(8), y.astype(int)] += 1
    assert scipy.stats.chisquare(counts.ravel(), ddof=14).pvalue > 0.01


def test_images_keep_their_labels():
    images, labels = numbered(23)
    for x, y in take(image_batches.training_batches(images, labels, 5, augmented=False), 5):
        np.testing.assert_allclose(x * 255, images[y.astype(int)], atol=1e-4)
        assert (x.dtype, y.dtype) == (np.float32, np.float32)


def test_augmentation_differs_between_batches_and_epochs():
    images, labels = np.tile(numbered(1)[0], (6, 1, 1, 1)), np.zeros(6)
    seen = np.concatenate([x for x, _ in take(image_batches.training_batches(images, labels, 2), 6)])
    assert len(np.unique(seen.reshape(12, -1), axis=0)) == 12
    assert seen.min() >= 0
    assert seen.max() <= 1


def test_alternate_flips_show_each_image_mirrored_in_every_other_epoch():
    bright_on_the_left = np.zeros((64, 20, 20, 1), np.uint8)
    bright_on_the_left[:, :, :6] = 255
    batches = image_batches.training_batches(bright_on_the_left, np.arange(64), 16, alternate_flips=True)
    mirrored = np.zeros((4, 64), bool)
    for number, (x, y) in enumerate(take(batches, 16)):
        mirrored[number // 4, y.astype(int)] = x[:, :, 10:].mean((1, 2, 3)) > x[:, :, :10].mean((1, 2, 3))
    np.testing.assert_array_equal(mirrored[1], ~mirrored[0])
    np.testing.assert_array_equal(mirrored[2:], mirrored[:2])
    assert 16 < mirrored[0].sum() < 48


def test_images_are_shifted_as_far_as_is_asked():
    images, labels = (dots(400) * 255).astype(np.uint8), np.zeros(400)
    for shift, most in ((0.1, (2, 4)), (0.05, (1, 2)), (0.0, (0, 0))):
        batches = image_batches.training_batches(images, labels, 400, shift=shift, whole_pixels=True)
        down, right, _ = moves_seen(next(iter(batches))[0].numpy(), column=10)
        assert (np.abs(down).max(), np.abs(right).max()) == most


def test_erased_images_are_the_same_but_for_a_square_of_each():
    def first(**settings):
        return take(image_batches.training_batches(*numbered(16), 16, **settings), 1)[0][0]

    same = (first(erased=0.5) == first()).mean((1, 2, 3))
    assert (same < 1).all()
    assert (same >= 0.75).all()
    np.testing.assert_array_equal(first(erased=0.5, augmented=False), first(augmented=False))


@pytest.mark.parametrize("augmented", [True, False])
def test_start_epoch_goes_on_exactly_where_a_longer_run_would_be(augmented):
    data = numbered(23)
    whole = take(image_batches.training_batches(*data, 5, seed=4, augmented=augmented), 20)
    rest = image_batches.training_batches(*data, 5, seed=4, augmented=augmented, start_epoch=2)
    assert_same_batches(take(rest, 10), whole[10:])


def test_each_iteration_begins_at_the_start_epoch_again():
    dataset = image_batches.training_batches(*numbered(23), 5, start_epoch=3)
    assert_same_batches(take(dataset, 7), take(dataset, 7))


def test_another_seed_gives_another_order():
    orders = [take(image_batches.training_batches(*numbered(23), 23, seed=seed), 1)[0][1] for seed in (0, 1)]
    assert not np.array_equal(*orders)


def test_drop_remainder_leaves_whole_batches_of_a_known_size():
    dataset = image_batches.training_batches(*numbered(23), 5, drop_remainder=True)
    assert dataset.element_spec[0].shape == (5, 8, 8, 1)
    assert [len(y) for _, y in take(dataset, 9)] == [5] * 9
    assert image_batches.training_batches(*numbered(20), 5).element_spec[1].shape == (5,)


def test_training_batches_say_they_have_no_end():
    assert image_batches.training_batches(*numbered(8), 5).cardinality() == tf.data.INFINITE_CARDINALITY


def test_evaluation_batches_are_all_images_once_in_order():
    images, labels = numbered(23)
    dataset = image_batches.evaluation_batches(images, labels, 5)
    batches = list(dataset.as_numpy_iterator())
    assert len(dataset) == 5
    assert [len(y) for _, y in batches] == [5, 5, 5, 5, 3]
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), labels)
    np.testing.assert_allclose(np.concatenate([x for x, _ in batches]) * 255, images, atol=1e-4)


@pytest.mark.parametrize("make", [image_batches.training_batches, image_batches.evaluation_batches])
def test_autotune_is_off_and_batches_are_deterministic(make):
    options = make(*numbered(8), 5).options()
    assert options.autotune.enabled is False
    assert options.deterministic is True


@pytest.mark.parametrize("make", [image_batches.training_batches, image_batches.evaluation_batches])
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
        image_batches.training_batches(*data, 4, start_epoch=-1)
    with pytest.raises(TypeError, match=r"`seed` must be a number.*None"):
        image_batches.training_batches(*data, 4, seed=None)
    with pytest.raises(ValueError, match=r"no batch at all.*8 images, batch_size=9.*Lower"):
        image_batches.training_batches(*data, 9, drop_remainder=True)


def test_a_model_is_trained_and_evaluated_on_the_batches():
    import keras

    keras.utils.set_random_seed(0)
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_sample()
    training = image_batches.training_batches(
        image_batches.resize(x_train), image_batches.binarize(y_train), 64, augmented=False
    )
    test = image_batches.evaluation_batches(image_batches.resize(x_test), image_batches.binarize(y_test), 64)
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")])
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        training, steps_per_epoch=32, epochs=3, validation_data=test, shuffle=False, verbose=0
    )
    assert history.history["val_accuracy"][-1] > 0.6
