"""The network of a run: MiniGoogLeNet for any images, or the user's own; what is said of a misfit."""

from __future__ import annotations

import sys
import textwrap
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from models import needs_multi_optimizer
from test_plan import GOOD

from pyimagesearch_lr.pipeline import model as network
from pyimagesearch_lr.pipeline.command_line import parse
from pyimagesearch_lr.pipeline.data import Data
from pyimagesearch_lr.pipeline.plan import Plan, SettingError

NETWORKS = """
    import keras
    from keras import layers

    def dense(shape, classes, **options):
        return keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(classes, **options)])

    def plain(shape, classes):
        return dense(shape, classes, activation="softmax")

    def any_size(shape, classes):
        return keras.Sequential(
            [keras.Input(shape), layers.GlobalAveragePooling2D(), layers.Dense(classes, activation="softmax")]
        )

    def convolution(shape, classes, *normalisation):
        kernel = layers.Conv2D(4, 3, padding="same")
        pooled = [layers.GlobalAveragePooling2D(), layers.Dense(classes, activation="softmax")]
        return keras.Sequential([keras.Input(shape), kernel, *normalisation, *pooled])

    def normalised(shape, classes):
        return convolution(shape, classes, layers.BatchNormalization())

    def normalised_in_a_block(shape, classes):
        return convolution(shape, classes, keras.Sequential([layers.GroupNormalization(2)]))

    def convolution_with_adam(shape, classes):
        model = convolution(shape, classes)
        model.compile("adam", "categorical_crossentropy")
        return model

    def unbuilt(shape, classes):
        return keras.Sequential([layers.Flatten(), layers.Dense(classes, activation="softmax")])

    def with_adam(shape, classes):
        model = plain(shape, classes)
        model.compile(keras.optimizers.Adam(0.5), "categorical_crossentropy", metrics=["accuracy"])
        return model

    def sparse(shape, classes, loss=None):
        model = dense(shape, classes)
        model.compile("adam", loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    def sparse_by_name(shape, classes):
        return sparse(shape, classes, "sparse_categorical_crossentropy")

    def sparse_function(shape, classes):
        return sparse(shape, classes, keras.losses.sparse_categorical_crossentropy)

    def schedule(shape, classes):
        model = plain(shape, classes)
        model.compile(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 100)), "mse")
        return model

    def raises(shape, classes):
        raise RuntimeError("no such luck\\ntoday")

    def no_model(shape, classes):
        return "a model"

    def one_output(shape, classes):
        return dense(shape, 1)

    def other_size(shape, classes):
        return plain((9, 9, 1), classes)

    def takes_one(shape):
        return plain(shape, 10)

    def exits(shape, classes):
        raise SystemExit(7)

    def cannot_be_built(shape, classes):
        return keras.Sequential([layers.Reshape((7, 7))])

    def logits(shape, classes):
        return dense(shape, classes)

    def zeros(shape, classes):
        return dense(shape, classes, kernel_initializer="zeros")

    def sigmoids(shape, classes):
        return dense(shape, classes, activation="sigmoid")

    class Doubled(layers.Layer):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def call(self, x):
            return 2 * self.inner(x)

    def without_config(shape, classes):
        head = layers.Dense(classes, activation="softmax")
        return keras.Sequential([keras.Input(shape), layers.Flatten(), Doubled(layers.Dense(4)), head])

    def image_out(shape, classes):
        return keras.Sequential([keras.Input(shape), layers.Conv2D(classes, 1)])

    def dictionary_out(shape, classes):
        model = plain(shape, classes)
        return keras.Model(model.inputs, {"a": model.outputs[0]})

    def frozen(shape, classes):
        model = plain(shape, classes)
        model.trainable = False
        return model

    def without_loss(shape, classes):
        model = plain(shape, classes)
        model.compile("adam")
        return model

    def score_a_class(shape, classes):
        model = plain(shape, classes)
        model.compile("adam", "categorical_crossentropy", metrics=[keras.metrics.F1Score()])
        return model

    def two_optimizers(shape, classes):
        model = plain(shape, classes)
        parts = {True: keras.optimizers.Adam(), False: keras.optimizers.SGD()}
        optimizer = keras.optimizers.MultiOptimizer(lambda variable: parts["kernel" in variable.path])
        model.compile(optimizer, "categorical_crossentropy")
        return model

    def sparse_in_a_list(shape, classes):
        return sparse(shape, classes, ["sparse_categorical_crossentropy"])

    class Dense(keras.Model):
        def __init__(self, classes, **options):
            super().__init__(**options)
            self.parts = [layers.Flatten(), layers.Dense(classes, activation="softmax")]
            self.classes = classes

        def get_config(self):
            return {**super().get_config(), "classes": self.classes}

        def call(self, x):
            for part in self.parts:
                x = part(x)
            return x

    class Fails(Dense):
        def call(self, x):
            raise RuntimeError("no such luck")

    def subclassed(shape, classes):
        return Dense(classes)

    def fails_when_called(shape, classes):
        return Fails(classes)

    NUMBER = 7
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "their_networks.py").write_text(textwrap.dedent(NETWORKS), encoding="utf-8")
    (tmp_path / "exiting_networks.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    (tmp_path / "broken_networks.py").write_text("import nothing_of_the_kind\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    policy = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(policy)
    for name in ("their_networks", "broken_networks"):
        sys.modules.pop(name, None)


def made(model="minigooglenet", *argv, channels=1, classes=10, **changes):
    settings = {**GOOD, "DTYPE_POLICY": "float32", "MODEL": model, **changes}
    plan = Plan.made(SimpleNamespace(**settings), parse(list(argv)))
    images = np.zeros((8, 28, 28, channels), np.uint8)
    labels = np.arange(8) % classes
    names = [f"class {number}" for number in range(classes)]
    return network.compiled(
        plan, Data(plan, images, labels, images, labels, classes=names, channels=channels)
    )


@pytest.mark.parametrize(("size", "channels", "classes"), [(16, 3, 2), (33, 1, 10), (48, 3, 101)])
def test_minigooglenet_fits_any_images(size, channels, classes):
    model, data = made(IMAGE_SIZE=size, channels=channels, classes=classes)
    assert model.input_shape == (None, size, size, channels)
    assert model.output_shape == (None, classes)
    assert data.one_hot


def test_network_that_is_not_compiled_gets_the_optimizer_and_loss_of_the_recipe():
    model, data = made("their_networks:plain")
    assert isinstance(model.optimizer, keras.optimizers.SGD)
    assert isinstance(model.loss, keras.losses.CategoricalCrossentropy)
    assert data.one_hot


@pytest.mark.parametrize(
    ("name", "expected"), [("plain", False), ("logits", True), ("zeros", True), ("sigmoids", False)]
)
def test_loss_of_a_network_that_gives_logits_takes_logits(name, expected, capsys):
    model, data = made(f"their_networks:{name}")
    assert model.loss.from_logits is expected
    assert ("MODEL gives logits" in capsys.readouterr().out) == expected
    images, labels = next(iter(data.test_batches(32)))
    outputs = keras.ops.convert_to_numpy(model(images)).astype("float64")
    shares = np.exp(outputs) if expected else outputs
    chosen = (shares / shares.sum(axis=1, keepdims=True))[np.arange(8), labels.numpy().argmax(axis=1)]
    got = model.evaluate(data.test_batches(32), verbose=0, return_dict=True)["loss"]
    assert got == pytest.approx(-np.log(chosen).mean(), rel=1e-4)


def test_network_that_cannot_be_saved_is_refused_before_it_is_trained():
    message = (
        r"it cannot be saved: NotImplementedError: .*Doubled.*get_config\(\)` in order .*\. Without that"
    )
    with pytest.raises(SettingError, match=message) as caught:
        made("their_networks:without_config")
    assert "\n" not in str(caught.value)
    assert made("their_networks:without_config", "--lr-find", "1")[0].compiled


def test_network_that_was_not_built_is_built_for_the_images():
    model, _ = made("their_networks:unbuilt", IMAGE_SIZE=20)
    assert model.layers[-1].kernel.shape == (400, 10)


def test_compiled_network_keeps_its_optimizer_and_loss(capsys):
    model, data = made("their_networks:with_adam")
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    assert float(model.optimizer.learning_rate) == 0.5
    assert data.one_hot
    assert "MODEL compiles its network: its own Adam and loss are used" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "optimizer", "is_told"),
    [
        ("normalised", "ConvMuon", False),
        ("normalised_in_a_block", "ConvMuon", False),
        ("any_size", "ConvMuon", False),
        ("convolution", "SGD", True),
        ("convolution_with_adam", "Adam", False),
    ],
)
def test_convolutions_without_normalisation_are_not_trained_with_conv_muon(name, optimizer, is_told, capsys):
    model, _ = made(f"their_networks:{name}", "--recipe", "short")
    assert network.optimizer_of(model) == optimizer
    assert ("trained with SGD in place of ConvMuon" in capsys.readouterr().out) == is_told
    without, _ = made(f"their_networks:{name}")
    assert network.optimizer_of(without) == ("Adam" if name == "convolution_with_adam" else "SGD")


@pytest.mark.parametrize("name", ["sparse", "sparse_by_name", "sparse_function", "sparse_in_a_list"])
def test_sparse_loss_gets_labels_as_whole_numbers_and_trains(name):
    model, data = made(f"their_networks:{name}", BATCH_SIZE=4)
    _, labels = next(iter(data.training_batches(32)))
    assert labels.shape == (4,)
    assert np.isfinite(
        model.fit(data.training_batches(32), steps_per_epoch=2, shuffle=False, verbose=0).history["loss"][0]
    )


def test_subclassed_network_is_built_for_the_images(recwarn):
    model, _ = made("their_networks:subclassed", IMAGE_SIZE=20)
    assert model.layers[-1].kernel.shape == (400, 10)
    assert not recwarn.list


def test_trying_a_compiled_network_leaves_its_weights_and_optimizer_as_they_were():
    model, _ = made("their_networks:with_adam", SEED=3)
    plain, _ = made("their_networks:plain", SEED=3)
    for one, other in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert int(model.optimizer.iterations) == 0


def test_same_seed_gives_the_same_weights():
    one, other = (made("their_networks:plain", SEED=3)[0].get_weights() for _ in range(2))
    np.testing.assert_array_equal(one[0], other[0])


def test_recipe_of_two_sizes_asks_for_a_network_of_any_size():
    model, _ = made("their_networks:any_size", "--recipe", "short")
    assert model.input_shape == (None, None, None, 1)
    with pytest.raises(
        SettingError, match=r"--recipe short trains on images of two sizes, so the size is open"
    ):
        made("their_networks:plain", "--recipe", "short")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("nowhere:plain", r"there is no module 'nowhere', neither installed nor in .*\."),
        (
            "broken_networks:plain",
            r"importing broken_networks raised ModuleNotFoundError: No module named 'not.*",
        ),
        ("their_networks:missing", r"the module their_networks has no function missing\."),
        ("their_networks:NUMBER", r"the module their_networks has a int, not a function, NUMBER\."),
        ("their_networks:raises", r"raises\(\(32, 32, 1\), 10\) raised RuntimeError: no such luck today\."),
        ("their_networks:takes_one", r"takes_one\(\(32, 32, 1\), 10\) raised TypeError: .*"),
        ("their_networks:no_model", r"no_model\(.*\) returned str; expected a keras\.Model\."),
        (
            "their_networks:one_output",
            r"its output has the shape \(None, 1\); expected \(None, 10\), one num.*",
        ),
        (
            "their_networks:other_size",
            r"it takes images of shape \(9, 9, 1\), and those of DATA are \(32, 32, 1\)\.",
        ),
        (
            "their_networks:schedule",
            r"its optimizer has a schedule, but the rate is cycled here: give it a num.*",
        ),
        ("their_networks:exits", r"exits\(\(32, 32, 1\), 10\) raised SystemExit: 7\."),
        ("exiting_networks:plain", r"importing exiting_networks raised SystemExit: 3\."),
        (
            "their_networks:cannot_be_built",
            r"calling it with images of shape \(32, 32, 1\) raised Val[^\x1b]*",
        ),
        ("their_networks:fails_when_called", r"calling it with images of .* raised RuntimeError: [^\x1b]*"),
        (
            "their_networks:image_out",
            r"its output has the shape \(None, 32, 32, 10\); expected \(None, 10\).*",
        ),
        ("their_networks:dictionary_out", r"its output has the shape {'a': \(None, 10\)}; expected .*"),
        ("their_networks:frozen", r"it has no weights that can be trained\."),
        (
            "their_networks:without_loss",
            r"evaluating it on a batch raised ValueError: No loss to compute\..*",
        ),
        (
            "their_networks:score_a_class",
            r"its metric f1_score gives 10 numbers, and one can be recorded: average them\.",
        ),
        pytest.param(
            "their_networks:two_optimizers",
            r"its optimizer is made of several, and one rate is cycled here: take one\.",
            marks=needs_multi_optimizer,
        ),
    ],
)
def test_network_that_does_not_fit_is_told_in_a_line(model, message):
    with pytest.raises(SettingError, match=rf"^MODEL = '{model}' in config\.py: {message}$") as caught:
        made(model)
    assert "\n" not in str(caught.value)


def test_schedule_is_no_hindrance_where_bounds_are_only_looked_for():
    model, _ = made("their_networks:schedule", "--lr-find", "1")
    assert model.compiled


@pytest.mark.parametrize(("epochs", "momentum"), [(999, 0.9), (1000, 0.99)])
def test_statistics_of_a_short_training_settle_before_it_ends(epochs, momentum):
    """One batch an epoch: of the zeros that moving statistics begin with, 0.99 ** 999 would be left."""
    model, _ = made(BATCH_SIZE=8, NUM_EPOCHS=epochs)
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {layer.momentum for layer in layers} == {momentum}
