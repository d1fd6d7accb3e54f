"""`ConvMuon` against singular values, against Keras's SGD, and through a sweep; saving; other backends."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from pyimagesearch_lr import LearningRateFinder
from pyimagesearch_lr.optimizers import ConvMuon


def _stepped(optimizer, start, gradients):
    """What a variable is after steps with these gradients."""
    variable = keras.Variable(start)
    optimizer.build([variable])
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)])
    return keras.ops.convert_to_numpy(variable)


def _normal(shape, seed):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def _matrix(kernel):
    return kernel.reshape(-1, kernel.shape[-1]).astype("float64")


def _length_of_ray(start, after, lr):
    """The multiple of `after` whose distance from `start` is `lr` times the norm of `start`."""
    norm, along = np.linalg.norm(start), (start * after).sum() / np.linalg.norm(after) ** 2
    across = np.linalg.norm(start - along * after)
    ways = np.sqrt((lr * norm) ** 2 - across**2) / np.linalg.norm(after)
    return min((along + ways, along - ways), key=lambda length: abs(length - 1))


@pytest.mark.parametrize("shape", [(3, 3, 16, 24), (1, 1, 8, 32), (3, 3, 1, 96), (5, 2, 3, 4), (3, 3, 6, 1)])
@pytest.mark.parametrize("matrix_dtype", ["float32", "bfloat16"])
def test_the_step_of_a_kernel_is_near_the_orthogonal_factor_of_its_gradient(shape, matrix_dtype):
    start, lr = _normal(shape, 0), 0.1
    u, values, vt = np.linalg.svd(_matrix(_normal(shape, 1)), full_matrices=False)
    gradient = ((u * np.geomspace(1, 4, len(values))) @ vt).reshape(shape).astype("float32")
    optimizer = ConvMuon(lr, momentum=0.0, ns_steps=5, matrix_dtype=matrix_dtype)
    after = _stepped(optimizer, start, [gradient])
    assert np.linalg.norm(after) == pytest.approx(np.linalg.norm(start), rel=1e-5)
    moved = _matrix(after) * _length_of_ray(_matrix(start), _matrix(after), lr)
    step = (_matrix(start) - moved) / lr
    assert np.linalg.norm(step) == pytest.approx(np.linalg.norm(start), rel=1e-3)
    cosine = (step * (u @ vt)).sum() / np.linalg.norm(step) / np.linalg.norm(u @ vt)
    assert cosine > 0.97
    assert np.linalg.cond(step) < 2.2


@pytest.mark.parametrize("scale", [1e-12, 1e6])
def test_the_size_of_gradients_does_not_matter_to_kernels(scale):
    start, gradients = _normal((3, 3, 4, 8), 0), [_normal((3, 3, 4, 8), seed) for seed in (1, 2, 3)]
    expected = _stepped(ConvMuon(0.1), start, gradients)
    got = _stepped(ConvMuon(0.1), start, [gradient * np.float32(scale) for gradient in gradients])
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_momentum_outlasts_the_gradient():
    """With a gradient only in the first step, later steps go on in its direction."""
    start, gradient = _normal((3, 3, 4, 8), 0), _normal((3, 3, 4, 8), 1)
    zeros = np.zeros_like(gradient)
    one = _stepped(ConvMuon(0.01, momentum=0.9), start, [gradient])
    three = _stepped(ConvMuon(0.01, momentum=0.9), start, [gradient, zeros, zeros])
    first, all_three = (after - start for after in (one, three))
    assert np.linalg.norm(all_three) == pytest.approx(3 * np.linalg.norm(first), rel=0.03)
    none = _stepped(ConvMuon(0.01, momentum=0.0), start, [gradient, zeros, zeros])
    assert np.linalg.norm(none - start) < 1.05 * np.linalg.norm(first)


@pytest.mark.parametrize("nesterov", [True, False])
def test_all_other_variables_take_the_step_of_sgd(nesterov):
    for shape in [(7,), (5, 6), (3, 4, 5), ()]:
        start, gradients = _normal(shape, 0), [_normal(shape, seed) for seed in (1, 2, 3)]
        sgd = keras.optimizers.SGD(0.3, momentum=0.8, nesterov=nesterov)
        muon = ConvMuon(0.1, momentum=0.8, nesterov=nesterov, others=3.0)
        np.testing.assert_allclose(
            _stepped(muon, start, gradients), _stepped(sgd, start, gradients), rtol=1e-5, atol=1e-6
        )


def test_a_kernel_of_zeros_is_left_and_a_gradient_of_zeros_does_nothing():
    zeros, some = np.zeros((3, 3, 4, 8), "float32"), _normal((3, 3, 4, 8), 1)
    left = _stepped(ConvMuon(0.1), zeros, [some] * 5)
    assert np.isfinite(left).all() and np.abs(left).max() > 0
    np.testing.assert_allclose(_stepped(ConvMuon(0.1), some, [zeros]), some, rtol=1e-5)


def test_norms_stay_over_a_thousand_steps_of_a_high_rate():
    start = _normal((3, 3, 4, 8), 0)
    after = _stepped(ConvMuon(0.2), start, [_normal((3, 3, 4, 8), seed) for seed in range(1000)])
    assert np.linalg.norm(after) == pytest.approx(np.linalg.norm(start), rel=1e-3)


def _network(**kwargs):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(ConvMuon(0.01, **kwargs), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _images():
    labels = np.arange(64) % 4
    images = _normal((64, 8, 8, 1), 0) * 0.3
    for image, label in zip(images, labels, strict=True):
        image[label * 2 : label * 2 + 2] += 1
    return images, labels


def test_a_network_learns_with_it():
    model, (x, y) = _network(), _images()
    model.fit(x, y, epochs=15, batch_size=16, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] > 0.95


def test_a_saved_model_goes_on_as_the_one_that_was_saved(tmp_path):
    model, (x, y) = _network(others=1.5, ns_steps=4, matrix_dtype="bfloat16"), _images()
    model.fit(x, y, batch_size=16, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    for each in (model, loaded):
        each.fit(x, y, batch_size=16, shuffle=False, verbose=0)
    for expected, got in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-5)


def test_a_saved_model_loads_in_another_process_without_naming_the_room(tmp_path):
    model = _network()
    model.compile(ConvMuon(0.02), "sparse_categorical_crossentropy")
    model.fit(*_images(), epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    code = (
        "import keras; import pyimagesearch_lr; print(keras.saving.load_model('model.keras').optimizer.name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == model.optimizer.name, done.stderr


def test_a_sweep_finds_a_rate_and_puts_all_of_it_back():
    model, (x, y) = _network(), _images()
    model.fit(x, y, batch_size=16, verbose=0)
    before = [keras.ops.convert_to_numpy(each) for each in (*model.variables, *model.optimizer.variables)]
    curve = LearningRateFinder(model).find(
        (x, y), 1e-5, 1, batch_size=16, num_steps=60, verify=False, verbose=0
    )
    assert curve.losses.min() < 0.8 * curve.losses[:5].mean()
    after = [keras.ops.convert_to_numpy(each) for each in (*model.variables, *model.optimizer.variables)]
    for expected, got in zip(before, after, strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    "kwargs, error, named",
    [
        ({"others": 0}, ValueError, "others"),
        ({"others": "2"}, TypeError, "others"),
        ({"ns_steps": 0}, ValueError, "ns_steps"),
        ({"ns_steps": 2.5}, ValueError, "ns_steps"),
        ({"matrix_dtype": "float16"}, ValueError, "matrix_dtype"),
    ],
)
def test_what_cannot_be_used_is_named(kwargs, error, named):
    with pytest.raises(error, match=f"`ConvMuon`.*`{named}`"):
        ConvMuon(0.1, **kwargs)


def test_a_keras_that_keeps_places_elsewhere_is_refused(monkeypatch):
    monkeypatch.setattr(keras.optimizers.Optimizer, "_get_variable_index", None)
    with pytest.raises(RuntimeError, match=r"`ConvMuon` does not find its momentum with Keras .*SGD"):
        _stepped(ConvMuon(0.1), _normal((3, 3, 4, 8), 0), [_normal((3, 3, 4, 8), 1)])


BODY = """
import sys
sys.path.insert(0, "tests")
import test_optimizers as tests
tests.test_the_step_of_a_kernel_is_near_the_orthogonal_factor_of_its_gradient((3, 3, 16, 24), "float32")
tests.test_all_other_variables_take_the_step_of_sgd(True)
tests.test_a_network_learns_with_it()
tests.test_a_sweep_finds_a_rate_and_puts_all_of_it_back()
"""


def test_it_is_the_same_on_jax(jax_environment):
    subprocess.run([sys.executable, "-c", BODY], env=jax_environment, check=True)


def test_it_is_the_same_on_pytorch(jax_environment):
    pytest.importorskip("torch")
    subprocess.run(
        [sys.executable, "-c", BODY], env={**jax_environment, "KERAS_BACKEND": "torch"}, check=True
    )
