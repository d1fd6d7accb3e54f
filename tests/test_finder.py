"""`LearningRateFinder`: every step's own loss, on any data, and the model exactly as it was."""

import math
import random
import re
import statistics
import threading
from contextlib import nullcontext

import keras
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf
from keras.src.backend.common import global_state
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from models import (
    CLASSES,
    FEATURES,
    assert_same_state,
    data,
    logs_of_step,
    model,
    needs_none_as_target,
    state,
)
from tensorflow.python.eager import context

from pyimagesearch_lr import CyclicLR, NoSuggestion, _state
from pyimagesearch_lr._keras import _fresh_copy
from pyimagesearch_lr.curve import LRCurve
from pyimagesearch_lr.finder import LearningRateFinder, LRFinder, PeriodicLRFinder, compare
from pyimagesearch_lr.probing import Verify
from pyimagesearch_lr.suggest import suggest
from pyimagesearch_lr.sweep import Sweep

SWEEP = {"start_lr": 1e-5, "end_lr": 1.0, "verbose": 0}
REPEATED = {"start_lr": 1e-5, "end_lr": 10.0, "epochs": 10, "batch_size": 16, "verbose": 0}
VERIFIED = {**REPEATED, "start_lr": 1e-6}
PERIODIC = {"start_lr": 1e-4, "end_lr": 1e3, "epochs": 10, "batch_size": 16, "verbose": 0}


def batches(x, y, size, weights=None):
    parts = [x, y] if weights is None else [x, y, weights]
    return [tuple(part[i : i + size] for part in parts) for i in range(0, len(x), size)]


def losses_of_train_on_batch(network, stream, rates):
    """The oracle: Keras's own `train_on_batch`, one batch and one rate at a time."""
    losses = []
    for batch, rate in zip(stream, rates, strict=False):
        network.optimizer.learning_rate = rate
        losses.append(logs_of_step(network, *batch)["loss"])
    return np.array(losses)


class Batches(keras.utils.PyDataset):
    def __init__(self, parts, **kwargs):
        super().__init__(**kwargs)
        self.parts = parts

    def __len__(self):
        return len(self.parts)

    def __getitem__(self, index):
        return self.parts[index]


class TestTrueLoss:
    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("steps_per_execution", [1, 3])
    def test_every_loss_equals_train_on_batch_across_epochs_and_a_smaller_last_batch(
        self, weighted, steps_per_execution
    ):
        x, y = data(70)
        weights = np.linspace(0.1, 3, 70).astype("float32") if weighted else None
        parts = batches(x, y, 16, weights)
        dataset = tf.data.Dataset.from_generator(lambda: iter(parts), output_signature=_signature(weighted))
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(parts)))
        swept = model(steps_per_execution=steps_per_execution)
        curve = LearningRateFinder(swept, stop_factor=None).find(dataset, **SWEEP, epochs=3)
        oracle = losses_of_train_on_batch(model(), parts * 3, np.geomspace(1e-5, 1.0, 15))
        assert [len(part[0]) for part in parts] == [16, 16, 16, 16, 6]
        np.testing.assert_allclose(curve.raw_losses, oracle, rtol=2e-6)

    def test_running_mean_of_fit_would_not_pass(self):
        x, y = data(64)
        network = model()
        curve = LearningRateFinder(network, stop_factor=None).find(
            tf.data.Dataset.from_tensor_slices((x, y)).batch(16), **SWEEP, epochs=4
        )
        running_mean = np.cumsum(curve.raw_losses[:4]) / np.arange(1, 5)
        assert np.abs(running_mean - curve.raw_losses[:4]).max() > 1e-3

    def test_other_metrics_of_each_step_are_recorded(self):
        x, y = data(48)
        dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
        curve = LearningRateFinder(model(), stop_factor=None).find(dataset, **SWEEP, epochs=2)
        network, oracle = model(), []
        for batch, rate in zip(batches(x, y, 16) * 2, np.geomspace(1e-5, 1.0, 6), strict=True):
            network.optimizer.learning_rate = rate
            oracle.append(float(logs_of_step(network, *batch)["accuracy"]))
        assert set(curve.metrics) == {"accuracy"}
        np.testing.assert_allclose(curve.metrics["accuracy"], oracle, rtol=1e-6)
        assert len(set(oracle)) > 2

    def test_rates_are_the_ramp_and_are_really_used(self):
        network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        network.compile(keras.optimizers.SGD(0.1), "mean_absolute_error")
        network.set_weights([np.array([[0.0]])])
        x, y = np.ones((5, 1)), np.full((5, 1), 100.0)
        curve = LearningRateFinder(network).find((x, y), 1.0, 16.0, epochs=1, batch_size=1, verbose=0)
        # The gradient of |100 - w| is -1 below 100, so each step adds exactly its rate to w.
        np.testing.assert_allclose(curve.lrs, [1.0, 2.0, 4.0, 8.0, 16.0], rtol=1e-12)
        np.testing.assert_allclose(curve.raw_losses, [100.0, 99.0, 97.0, 93.0, 85.0], rtol=1e-6)

    def test_linear_ramp_and_several_steps_a_rate(self):
        x, y = data(60)
        finder = LearningRateFinder(model(), stop_factor=None, ramp="linear", steps_per_lr=3)
        curve = finder.find((x, y), 0.1, 0.4, epochs=2, batch_size=10, verbose=0)
        np.testing.assert_allclose(curve.lrs, [0.1, 0.2, 0.3, 0.4])


def _signature(weighted):
    spec = [tf.TensorSpec((None, FEATURES)), tf.TensorSpec((None, CLASSES))]
    return tuple(spec + ([tf.TensorSpec((None,))] if weighted else []))


def _same_batches_every_way():
    x, y = data(64)
    parts = batches(x, y, 16)
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
    return {
        "finite dataset": (dataset, {}),
        "infinite dataset": (dataset.repeat(), {"steps_per_epoch": 4}),
        "dataset of unknown length": (dataset.filter(lambda *_: True), {"steps_per_epoch": 4}),
        "generator": ((part for _ in range(3) for part in parts), {"steps_per_epoch": 4}),
    }


class TestData:
    @pytest.mark.parametrize("name", list(_same_batches_every_way()))
    def test_the_same_batches_give_the_same_curve_however_they_arrive(self, name):
        source, kwargs = _same_batches_every_way()[name]
        warning = (
            pytest.warns(UserWarning, match="cannot be rewound") if name == "generator" else nullcontext()
        )
        with warning:
            curve = LearningRateFinder(model(), stop_factor=None).find(source, **SWEEP, epochs=3, **kwargs)
        x, y = data(64)
        oracle = losses_of_train_on_batch(model(), batches(x, y, 16) * 3, np.geomspace(1e-5, 1.0, 12))
        np.testing.assert_allclose(curve.raw_losses, oracle, rtol=2e-6)
        assert curve.stop_reason == "end_lr"

    @pytest.mark.parametrize("workers", [1, 2])
    def test_pydataset(self, workers):
        x, y = data(64)
        parts = Batches(batches(x, y, 16), workers=workers)
        curve = LearningRateFinder(model(), stop_factor=None).find(parts, **SWEEP, epochs=3)
        assert len(curve) == 12
        assert np.isfinite(curve.raw_losses).all()

    def test_sparse_arrays(self):
        x, y = data(40)
        dense = losses_of_train_on_batch(model(dropout=0), [(x, y)], [1e-5])[0]
        for sparse in (scipy.sparse.csr_matrix(x), tf.sparse.from_dense(x)):
            network = model(dropout=0)
            curve = LearningRateFinder(network).find((sparse, y), **SWEEP, epochs=2, batch_size=40)
            assert curve.raw_losses[0] == pytest.approx(dense, rel=1e-5)

    @needs_none_as_target
    def test_target_that_is_none_among_others(self):
        x, y = data(40)
        inputs = keras.Input((FEATURES,))
        heads = {name: keras.layers.Dense(CLASSES, name=name)(inputs) for name in ("p", "q")}
        network = keras.Model(inputs, heads)
        network.get_layer("q").trainable = False
        network.compile("sgd", {"p": "mse", "q": None})
        expected = float(np.mean((network.predict(x, verbose=0)["p"] - y) ** 2))
        for source in (
            (x, {"p": y, "q": None}),
            tf.data.Dataset.from_tensor_slices((x, y)).batch(40).map(lambda x, y: (x, {"p": y, "q": None})),
        ):
            curve = LearningRateFinder(network).find(source, **SWEEP, epochs=3, batch_size=40)
            assert curve.raw_losses[0] == pytest.approx(expected, rel=1e-5)

    def test_arrays_with_sample_weights_in_the_tuple_or_beside_it(self):
        x, y = data(40)
        weights = np.linspace(0, 2, 40).astype("float32")
        oracle = logs_of_step(model(dropout=0), x, y, weights)["loss"]
        for source, beside in (((x, y, weights), None), ([x, y, weights], None), ((x, y), weights)):
            curve = LearningRateFinder(model(dropout=0)).find(
                source, **SWEEP, epochs=2, batch_size=40, sample_weight=beside
            )
            assert curve.raw_losses[0] == pytest.approx(oracle, rel=1e-5)

    def test_sample_weights_beside_data_that_have_their_own_are_refused(self):
        x, y = data(40)
        weights = np.ones(40, "float32")
        dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
        for source, kind in (((x, y, weights), r"\(x, y, sample_weight\)"), (dataset, "BatchDataset")):
            with pytest.raises(ValueError, match=rf"`sample_weight` goes with `\(x, y\)`.*{kind}"):
                LearningRateFinder(model()).find(source, **SWEEP, epochs=2, sample_weight=weights)

    def test_inputs_as_a_dict_without_targets(self):
        x, _ = data(40)
        a, b = keras.Input((FEATURES,), name="a"), keras.Input((FEATURES,), name="b")
        network = keras.Model({"a": a, "b": b}, keras.layers.Dense(1)(a - b))
        network.compile("sgd", loss=None)
        network.compute_loss = lambda x, y, y_pred, *_, **__: keras.ops.mean(y_pred**2)
        expected = float(np.mean(network.predict({"a": x, "b": -x}, verbose=0) ** 2))
        curve = LearningRateFinder(network).find({"a": x, "b": -x}, **SWEEP, epochs=12, batch_size=40)
        assert curve.raw_losses[0] == pytest.approx(expected, rel=1e-5)
        assert len(curve) == 12

    def test_many_metrics_are_all_recorded_and_too_many_refused(self):
        x, y = data(40)
        for count in (40, 80):
            network = model(dropout=0)
            names = [f"m{index}" for index in range(count)]
            network.compile("sgd", "mse", metrics=[keras.metrics.MeanSquaredError(name) for name in names])
            finder = LearningRateFinder(network)
            if count == 40:
                curve = finder.find((x, y), **SWEEP, epochs=2, batch_size=40)
                assert set(curve.metrics) == set(names)
                error = logs_of_step(network, x, y)["m39"]
                assert curve.metrics["m39"][0] == pytest.approx(error, rel=1e-5)
            else:
                with pytest.raises(ValueError, match=r"records up to 64 logs .* returned 81"):
                    finder.find((x, y), **SWEEP, epochs=2, batch_size=40)

    def test_class_weight(self):
        x, y = data(40)
        labels = y.argmax(axis=1)
        weights = np.array([0.0, 1.0, 5.0])[labels].astype("float32")
        networks = [model(dropout=0, loss="sparse_categorical_crossentropy") for _ in range(2)]
        oracle = logs_of_step(networks[0], x, labels, weights)["loss"]
        curve = LearningRateFinder(networks[1]).find(
            (x, labels), **SWEEP, epochs=2, batch_size=40, class_weight={0: 0.0, 1: 1.0, 2: 5.0}
        )
        assert curve.raw_losses[0] == pytest.approx(oracle, rel=1e-5)

    def test_several_inputs_and_outputs_as_dicts(self):
        x, y = data(48)
        a, b = keras.Input((FEATURES,), name="a"), keras.Input((FEATURES,), name="b")
        merged = keras.layers.Concatenate()([a, b])
        outputs = {
            "p": keras.layers.Dense(CLASSES, activation="softmax", name="p")(merged),
            "q": keras.layers.Dense(1, name="q")(merged),
        }
        network = keras.Model({"a": a, "b": b}, outputs)
        network.compile("sgd", {"p": "categorical_crossentropy", "q": "mse"})
        inputs, targets = {"a": x, "b": -x}, {"p": y, "q": x[:, :1]}
        curve = LearningRateFinder(network).find((inputs, targets), **SWEEP, epochs=4, batch_size=16)
        assert len(curve) == 12
        assert set(curve.metrics) == {"p_loss", "q_loss"}
        np.testing.assert_allclose(
            curve.raw_losses, curve.metrics["p_loss"] + curve.metrics["q_loss"], rtol=1e-5
        )

    def test_several_inputs_as_a_list(self):
        x, y = data(48)
        a, b = keras.Input((FEATURES,)), keras.Input((FEATURES,))
        outputs = keras.layers.Dense(CLASSES, activation="softmax")(keras.layers.Add()([a, b]))
        network = keras.Model([a, b], outputs)
        network.compile("sgd", "categorical_crossentropy")
        oracle = network.test_on_batch([x, -x], y)
        curve = LearningRateFinder(network).find(([x, -x], y), **SWEEP, epochs=2, batch_size=48)
        assert curve.raw_losses[0] == pytest.approx(oracle, rel=1e-5)

    def test_pytorch_data_loader(self):
        torch = pytest.importorskip("torch")
        x, y = data(64)
        dataset = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
        loader = torch.utils.data.DataLoader(dataset, batch_size=16)
        curve = LearningRateFinder(model(), stop_factor=None).find(loader, **SWEEP, epochs=3)
        oracle = losses_of_train_on_batch(model(), batches(x, y, 16) * 3, np.geomspace(1e-5, 1.0, 12))
        np.testing.assert_allclose(curve.raw_losses, oracle, rtol=2e-6)

    def test_generator_that_runs_out_ends_the_sweep_as_exhausted_and_says_so(self):
        x, y = data(64)
        source = (part for part in batches(x, y, 16))
        with pytest.warns(UserWarning, match=r"ran out after 4 of 12 steps|cannot be rewound") as caught:
            curve = LearningRateFinder(model()).find(source, **SWEEP, steps_per_epoch=4, epochs=3)
        assert curve.stop_reason == "exhausted"
        assert len(curve) == 4
        ours = [each for each in caught if each.category is UserWarning]
        assert [each.filename for each in ours] == [__file__] * 2

    def test_generator_without_steps_per_epoch_is_an_error_that_says_what_to_pass(self):
        x, y = data(64)
        network = model()
        before = state(network)
        with pytest.raises(ValueError, match=r"`steps_per_epoch` is needed.*generator.*Pass"):
            LearningRateFinder(network).find((part for part in batches(x, y, 16)), **SWEEP)
        assert_same_state(before, state(network))

    def test_default_length_is_the_tutorials_rule(self):
        x, y = data(100)
        finder = LearningRateFinder(model(), stop_factor=None)
        curve = finder.find((x, y), 1e-5, 1.0, batch_size=10, sample_size=25, verbose=0)
        assert len(curve) == 30  # 10 steps an epoch, ceil(25 / 10) epochs


class TestValidationLoss:
    """Smith's test: the loss on validation data after every rate."""

    def test_is_what_evaluate_gives_after_each_rate(self):
        x, y = data(64)
        held_out = data(30, seed=5)
        dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
        network = model()
        network.fit(dataset, verbose=0, shuffle=False)
        before = state(network)
        finder = LearningRateFinder(network, stop_factor=None, steps_per_lr=2)
        curve = finder.find(dataset, **SWEEP, epochs=2, validation_data=held_out)
        assert_same_state(before, state(network))

        reference = model()
        reference.fit(dataset, verbose=0, shuffle=False)
        validation, training = [], []
        parts = batches(x, y, 16) * 2
        for number, rate in enumerate(np.geomspace(1e-5, 1.0, 4)):
            rates = [rate, rate]
            training.append(
                losses_of_train_on_batch(reference, parts[2 * number : 2 * number + 2], rates).mean()
            )
            validation.append(reference.evaluate(*held_out, verbose=0, return_dict=True)["loss"])
        np.testing.assert_allclose(curve.raw_losses, validation, rtol=1e-5)
        np.testing.assert_allclose(curve.metrics["train_loss"], training, rtol=1e-5)

    def test_from_a_dataset(self):
        held_out = tf.data.Dataset.from_tensor_slices(data(30)).batch(8)
        curve = LearningRateFinder(model()).find(data(64), **SWEEP, epochs=4, validation_data=held_out)
        assert len(curve) == 8


class Custom(keras.Model):
    """A subclassed model with a train step of its own that never calls `compute_loss`."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(CLASSES, activation="softmax")
        self.tracker = keras.metrics.Mean(name="loss")

    def call(self, x):
        return self.dense(x)

    @property
    def metrics(self):
        return [self.tracker]

    def train_step(self, batch):
        x, y = keras.utils.unpack_x_y_sample_weight(batch)[:2]
        with tf.GradientTape() as tape:
            loss = keras.ops.mean((self(x) - y) ** 2)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        self.tracker.update_state(loss)
        return {"loss": self.tracker.result()}


class Penalised(keras.layers.Layer):
    def call(self, x):
        self.add_loss(0.5 * keras.ops.mean(x**2))
        return x


class TestModels:
    def test_losses_added_by_a_layer_count(self):
        x, y = data(48)
        network = keras.Sequential([keras.Input((FEATURES,)), Penalised(), keras.layers.Dense(CLASSES)])
        network.compile("sgd", "mse")
        expected = np.mean((network.predict(x, verbose=0) - y) ** 2) + 0.5 * np.mean(x**2)
        curve = LearningRateFinder(network).find((x, y), **SWEEP, epochs=2, batch_size=48)
        assert curve.raw_losses[0] == pytest.approx(expected, rel=1e-4)

    def test_inputs_without_targets(self):
        x, _ = data(48)
        network = keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(2), Penalised()])
        network.compile("sgd")
        expected = 0.5 * np.mean(network.predict(x, verbose=0) ** 2)
        curve = LearningRateFinder(network).find(x, **SWEEP, epochs=2, batch_size=48)
        assert curve.raw_losses[0] == pytest.approx(expected, rel=1e-4)

    def test_compiled_anew_between_two_sweeps(self):
        x, y = data(48)
        network = model(dropout=0)
        finder = LearningRateFinder(network)
        first = finder.find((x, y), **SWEEP, epochs=2, batch_size=48)
        network.compile(keras.optimizers.Adam(0.01), "mse")
        second = finder.find((x, y), **SWEEP, epochs=2, batch_size=48)
        probabilities = model(dropout=0)(x, training=True)
        penalty = float(sum(network.losses))
        assert second.raw_losses[0] == pytest.approx(np.mean((probabilities - y) ** 2) + penalty, rel=1e-4)
        assert first.raw_losses[0] != pytest.approx(second.raw_losses[0], rel=0.1)

    def test_a_finder_traces_the_train_step_once_for_many_sweeps(self):
        x, y = data(48)
        network = model()
        traces = []
        original = network.train_step
        network.train_step = lambda batch: traces.append(1) or original(batch)
        finder = LearningRateFinder(network)
        for end_lr, epochs in ((1.0, 2), (0.1, 4)):
            finder.find((x, y), 1e-5, end_lr, epochs=epochs, batch_size=16, verbose=0)
        assert finder.curve.lrs[-1] == 0.1
        assert len(traces) == 1

    def test_subclassed_unbuilt_model_with_its_own_train_step(self):
        x, y = data(64)
        keras.utils.set_random_seed(1)
        network = Custom()
        network.compile("sgd")
        dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
        curve = LearningRateFinder(network, stop_factor=None).find(dataset, **SWEEP, epochs=2)
        keras.utils.set_random_seed(1)
        reference = Custom()
        reference.compile("sgd")
        oracle = losses_of_train_on_batch(reference, batches(x, y, 16) * 2, np.geomspace(1e-5, 1.0, 8))
        np.testing.assert_allclose(curve.raw_losses, oracle, rtol=1e-5)

    @pytest.mark.parametrize(
        "optimizer",
        [
            keras.optimizers.Adam(1e-3),
            keras.optimizers.AdamW(1e-3, weight_decay=0.1, clipnorm=1.0),
            keras.optimizers.RMSprop(1e-3, use_ema=True),
            keras.optimizers.Lion(1e-3),
            keras.optimizers.Adafactor(1e-3),
            keras.optimizers.SGD(1e-3, gradient_accumulation_steps=2),
            keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1e-3, momentum=0.9)),
            keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)),
            keras.optimizers.Adam(lambda: 0.01),
        ],
        ids=lambda optimizer: type(optimizer).__name__,
    )
    def test_sweeps_any_optimizer_and_puts_it_back(self, optimizer):
        network = model(optimizer)
        x, y = data(64)
        network.fit(x, y, verbose=0)
        holder = getattr(optimizer, "inner_optimizer", optimizer)
        rate_before, before = holder._learning_rate, state(network)
        curve = LearningRateFinder(network, stop_factor=None).find((x, y), **SWEEP, epochs=3, batch_size=16)
        assert len(curve) == 12
        assert np.isfinite(curve.raw_losses).all()
        assert len(set(curve.raw_losses)) > 6
        assert_same_state(before, state(network))
        assert holder._learning_rate is rate_before

    @pytest.mark.parametrize(
        "compile_kwargs", [{"jit_compile": True}, {"run_eagerly": True}, {"steps_per_execution": 5}]
    )
    def test_compile_options(self, compile_kwargs):
        x, y = data(64)
        dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
        swept = LearningRateFinder(model(dropout=0, **compile_kwargs), stop_factor=None).find(
            dataset, **SWEEP, epochs=3
        )
        plain = LearningRateFinder(model(dropout=0), stop_factor=None).find(dataset, **SWEEP, epochs=3)
        np.testing.assert_allclose(swept.raw_losses, plain.raw_losses, rtol=1e-4)

    def test_no_variable_of_a_sweep_is_kept_off_a_gpu(self):
        # TensorFlow places int32 variables on the host, where a step compiled by XLA for a GPU fails on them.
        network, made = model(), []

        def noted(create, **kwargs):
            variable = create(**kwargs)
            made.append(variable.dtype)
            return variable

        with tf.variable_creator_scope(noted):
            LearningRateFinder(network).find(data(64), **SWEEP, epochs=3, batch_size=16)
        assert len(made) >= 3
        assert set(made) == {tf.float32, tf.int64}

    @pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
    def test_mixed_precision(self, policy):
        keras.config.set_dtype_policy(policy)
        try:
            network = model(keras.optimizers.SGD(0.05, momentum=0.9))
        finally:
            keras.config.set_dtype_policy("float32")
        x, y = data(64)
        network.fit(x, y, verbose=0)
        before = state(network)
        curve = LearningRateFinder(network, stop_factor=None).find((x, y), **SWEEP, epochs=3)
        scaled = isinstance(network.optimizer, keras.optimizers.LossScaleOptimizer)
        assert scaled == (policy == "mixed_float16")
        assert len(curve) == 6
        assert_same_state(before, state(network))


class Interrupting(keras.callbacks.Callback):
    """Raises at a given step of the sweep."""

    def __init__(self, error, at):
        super().__init__()
        self.error, self.left = error, at

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left < 0:
            raise self.error


STATEFUL_OPTIMIZERS = {
    "AdamW": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
    "EMA": lambda: keras.optimizers.RMSprop(0.01, use_ema=True, ema_overwrite_frequency=3),
    "accumulation": lambda: keras.optimizers.SGD(0.05, gradient_accumulation_steps=3),
    "loss scale": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Lion(0.001), dynamic_growth_steps=4
    ),
    "schedule": lambda: keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 12)),
}


class TestTraceless:
    @pytest.mark.parametrize("build", [True, False])
    def test_training_after_a_sweep_equals_training_without_one(self, build):
        x, y = data(70)

        def trained(sweep):
            network = model(build=build)
            if sweep:
                LearningRateFinder(network).find((x, y), **SWEEP, epochs=3, batch_size=16)
            history = network.fit(x, y, batch_size=16, epochs=3, verbose=0).history
            return history, state(network)

        (history, without), (swept_history, after) = trained(False), trained(True)
        assert swept_history == history
        for expected, got in zip(without["variables"], after["variables"], strict=True):
            np.testing.assert_array_equal(got, expected)

    @pytest.mark.parametrize(
        "name, jit_compile",
        [
            *((name, False) for name in STATEFUL_OPTIMIZERS),
            ("schedule", True),
            *(
                pytest.param(name, True, marks=pytest.mark.slow)
                for name in STATEFUL_OPTIMIZERS
                if name != "schedule"
            ),
        ],
    )
    def test_training_goes_on_after_a_sweep_in_its_middle(self, name, jit_compile):
        x, y = data(70)

        def trained(sweep):
            network = model(STATEFUL_OPTIMIZERS[name](), jit_compile=jit_compile)
            network.fit(x, y, batch_size=16, epochs=2, verbose=0)
            if sweep:
                LearningRateFinder(network).find((x, y), **SWEEP, epochs=3, batch_size=16)
            network.fit(x, y, batch_size=16, epochs=2, verbose=0)
            return state(network)["variables"]

        for expected, got in zip(trained(False), trained(True), strict=True):
            np.testing.assert_array_equal(got, expected)

    @pytest.mark.filterwarnings("ignore:Your `PyDataset` class")  # Keras's own, before 3.12
    def test_position_and_order_of_a_pydataset_stay(self):
        x, y = data(64)
        images = np.repeat(x[:, None, :, None], FEATURES, axis=1)
        augmentation = ImageDataGenerator(width_shift_range=0.3, horizontal_flip=True)

        def trained(sweep):
            np.random.seed(3)
            network = keras.Sequential(
                [keras.Input((FEATURES, FEATURES, 1)), keras.layers.Flatten(), keras.layers.Dense(CLASSES)]
            )
            keras.utils.set_random_seed(0)
            network.set_weights([np.full(weight.shape, 0.1) for weight in network.get_weights()])
            network.compile("sgd", "mse")
            flow = augmentation.flow(images, y, batch_size=16)
            network.fit(flow, verbose=0)
            if sweep:
                LearningRateFinder(network).find(flow, **SWEEP, epochs=2)
            network.fit(flow, epochs=2, verbose=0)
            return network.get_weights()

        for expected, got in zip(trained(False), trained(True), strict=True):
            np.testing.assert_array_equal(got, expected)

    @pytest.mark.parametrize("make", [list, np.array])
    def test_order_that_a_pydataset_shuffles_in_place_stays(self, make):
        class Shuffled(Batches):
            def __init__(self, parts):
                super().__init__(parts)
                self.order, self.rng = make(range(len(parts))), np.random.default_rng(1)

            def __getitem__(self, index):
                return self.parts[self.order[index]]

            def on_epoch_end(self):
                self.rng.shuffle(self.order)

        dataset = Shuffled(batches(*data(64), 8))
        expected = Shuffled(batches(*data(64), 8))
        LearningRateFinder(model()).find(dataset, **SWEEP, epochs=3)
        for _ in range(2):
            assert list(dataset.order) == list(expected.order)
            dataset.on_epoch_end()
            expected.on_epoch_end()

    def test_global_random_states_stay(self):
        keras.utils.set_random_seed(5)
        network = model()
        sequences = []
        for sweep in (False, True):
            global_state.set_global_attribute(
                "global_seed_generator", None
            )  # as before Keras 3.13 no seed does
            keras.utils.set_random_seed(6)
            keras.random.uniform(())
            if sweep:
                LearningRateFinder(network).find(data(64), **SWEEP, epochs=2)
            sequences.append(
                [
                    random.random(),
                    np.random.random(),
                    float(keras.random.uniform(())),
                    float(tf.random.uniform(())),
                ]
            )
        assert sequences[0] == sequences[1]

    def test_no_worker_thread_is_left_behind(self):
        def workers():
            return [
                thread for thread in threading.enumerate() if not isinstance(thread, threading._DummyThread)
            ]

        x, y = data(64)
        before = workers()
        finder = LearningRateFinder(model())
        finder.find(Batches(batches(x, y, 16), workers=2), **SWEEP, epochs=3)
        assert workers() == before

    def test_snapshot_on_disk_restores_the_same_and_goes_away(self, tmp_path):
        network = keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(CLASSES, dtype="bfloat16")])
        network.compile(keras.optimizers.Adam(0.01), "mse")
        x, y = data(64)
        network.fit(x, y, verbose=0)
        before = state(network)
        seen = []
        spy = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: seen.append(len(list(tmp_path.rglob("*"))))
        )
        finder = LearningRateFinder(network, snapshot_dir=tmp_path)
        finder.find((x, y), **SWEEP, epochs=3, callbacks=[spy])
        assert min(seen) > len(network.weights)
        assert list(tmp_path.iterdir()) == []
        assert_same_state(before, state(network))

    @pytest.mark.parametrize("read_at_once", [None, 1, 64, 2**24])
    def test_variables_come_back_from_memory_and_in_pieces_from_disk(
        self, read_at_once, tmp_path, monkeypatch
    ):
        monkeypatch.setattr(_state, "READ_AT_ONCE", read_at_once)
        x, y = data(64)
        y[40:48] = np.nan  # so that nothing is left of what is not put back
        layers = [keras.layers.Dense(5, dtype="bfloat16"), keras.layers.Dense(CLASSES)]
        network = keras.Sequential([keras.Input((FEATURES,)), keras.layers.BatchNormalization(), *layers])
        network.compile(keras.optimizers.Adam(0.01), "mse")
        network.fit(x[:40], y[:40], verbose=0)
        before = state(network)
        with _state.preserved(network, tmp_path if read_at_once else None) as put_back:
            for _ in range(2):
                network.fit(x, y, verbose=0)
                assert np.isnan(network.layers[-1].get_weights()[0]).any()
                put_back()
                assert_same_state({**before, "attributes": 0}, {**state(network), "attributes": 0})
            network.fit(x, y, verbose=0)
        assert_same_state({**before, "attributes": 0}, {**state(network), "attributes": 0})
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX has none")
    def test_tensorflow_variable_of_a_layer_is_put_back(self):
        class Counting(keras.layers.Layer):
            def __init__(self):
                super().__init__()
                self.calls = tf.Variable(0, dtype=tf.int64, trainable=False)

            def call(self, x):
                self.calls.assign_add(1)
                return x

        x, y = data(64)
        counting = Counting()
        network = keras.Sequential([keras.Input((FEATURES,)), counting, keras.layers.Dense(CLASSES)])
        network.compile("sgd", "mse")
        network.fit(x, y, batch_size=16, verbose=0)
        before = int(counting.calls)
        LearningRateFinder(network).find((x, y), **SWEEP, epochs=2, batch_size=16)
        assert int(counting.calls) == before >= 4

    def test_two_sweeps_in_a_row_give_the_same_curve(self):
        x, y = data(70)
        finder = LearningRateFinder(model())
        first, second = (finder.find((x, y), **SWEEP, epochs=3, batch_size=16) for _ in range(2))
        np.testing.assert_array_equal(first.raw_losses, second.raw_losses)

    def test_a_traced_train_function_is_kept(self):
        x, y = data(70)
        network = model()
        network.fit(x, y, verbose=0)
        before = network.train_function
        LearningRateFinder(network).find((x, y), **SWEEP, epochs=1)
        assert network.train_function is before
        losses = network.fit(x, y, epochs=2, verbose=0).history["loss"]
        assert np.isfinite(losses).all()

    @pytest.mark.parametrize("end_lr, reason", [(1.0, "end_lr"), (1e9, "diverged")])
    def test_state_is_bit_identical_after_the_end_and_after_divergence(self, end_lr, reason):
        x, y = data(70)
        network = keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(CLASSES)])
        network.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mse", metrics=["mae"])
        network.fit(x, y, verbose=0)
        before = state(network)
        curve = LearningRateFinder(network).find((x, y), 1e-5, end_lr, epochs=30, batch_size=16, verbose=0)
        assert curve.stop_reason == reason
        assert_same_state(before, state(network))

    def test_state_is_bit_identical_after_nan(self):
        x, y = data(64)
        y[40:48] = np.nan
        network = model()
        network.fit(*data(64), verbose=0)
        before = state(network)
        dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
        curve = LearningRateFinder(network).find(dataset, **SWEEP, epochs=3)
        assert curve.stop_reason == "non_finite"
        assert len(curve) == 6
        assert np.isnan(curve.raw_losses[-1])
        assert np.isfinite(curve.losses).all()
        assert_same_state(before, state(network))

    @pytest.mark.parametrize("at", range(7))
    def test_state_is_bit_identical_after_an_exception_in_the_data_at_any_step(self, at):
        x, y = data(64)

        def broken():
            for index, batch in enumerate(batches(x, y, 8) * 2):
                if index == at + 2:  # Keras itself looks at the first two batches
                    raise OSError("the disk is gone")
                yield batch

        network = model()
        network.fit(x, y, verbose=0)
        before = state(network)
        with pytest.raises(Exception, match="the disk is gone"), pytest.warns(UserWarning, match="rewound"):
            LearningRateFinder(network).find(broken(), **SWEEP, steps_per_epoch=8, epochs=2)
        assert_same_state(before, state(network))

    @pytest.mark.parametrize("error", [KeyboardInterrupt("stop"), RuntimeError("stop")])
    @pytest.mark.parametrize("at", [0, 2])
    def test_interrupted_sweep_restores_and_keeps_the_curve_so_far(self, error, at):
        x, y = data(64)
        network = model(steps_per_execution=2)
        network.fit(x, y, verbose=0)
        before = state(network)
        finder = LearningRateFinder(network)
        with pytest.raises(type(error), match="stop"):
            finder.find((x, y), **SWEEP, epochs=9, batch_size=8, callbacks=[Interrupting(error, at)])
        assert_same_state(before, state(network))
        assert finder.curve.stop_reason == "interrupted"
        assert len(finder.curve) == at + 1  # while it sweeps, an execution has one step

    def test_no_file_is_left_behind(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        LearningRateFinder(model()).find(data(64), **SWEEP, epochs=3)
        assert list(tmp_path.iterdir()) == []


class TestBadInput:
    @pytest.mark.parametrize(
        "arguments, message",
        [
            ({"start_lr": 1.0, "end_lr": 0.1}, "`end_lr` must be greater than `start_lr`.*0.1.*Swap them"),
            ({"start_lr": 1.0, "end_lr": 1.0}, "`end_lr` must be greater than `start_lr`"),
            ({"start_lr": 0.0}, "`start_lr` must be a finite number above 0.*0.0"),
            ({"start_lr": float("nan")}, "`start_lr` must be a finite number above 0.*nan"),
            ({"end_lr": float("inf")}, "`end_lr` must be a finite number above 0.*inf"),
            ({"epochs": 1, "batch_size": 64}, "at least 2 steps.*Received: 1"),
            ({"epochs": 0}, "`epochs` must be a whole number of at least 1.*0"),
            ({"steps_per_epoch": 2.5}, "`steps_per_epoch` must be a whole number.*2.5"),
            ({"batch_size": 0}, "`batch_size` must be a whole number of at least 1.*0"),
        ],
    )
    def test_argument(self, arguments, message):
        network = model()
        before = state(network)
        with pytest.raises(ValueError, match=message):
            LearningRateFinder(network).find(data(64), **{**SWEEP, **arguments})
        assert_same_state(before, state(network))

    @pytest.mark.parametrize(
        "empty", [data(0), tf.data.Dataset.from_tensor_slices(data(0)).batch(4), Batches([])]
    )
    def test_empty_data(self, empty):
        with pytest.raises(ValueError, match="`train_data` is empty"):
            LearningRateFinder(model()).find(empty, **SWEEP)

    def test_tuple_that_is_not_x_and_y(self):
        with pytest.raises(ValueError, match=r"`\(x, y\)`.*tuple of 1"):
            LearningRateFinder(model()).find((data(8)[0],), **SWEEP)

    def test_model_that_is_not_compiled(self):
        network = keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(1)])
        with pytest.raises(RuntimeError, match=r"model.compile"):
            LearningRateFinder(network).find(data(8), **SWEEP)

    def test_stop_factor_and_beta(self):
        with pytest.raises(ValueError, match=r"`stop_factor` must be greater than 1.*0.5"):
            LearningRateFinder(model(), stop_factor=0.5).find(data(8), **SWEEP, batch_size=2)
        with pytest.raises(ValueError, match=r"`beta` must be at least 0 and less than 1.*1.5"):
            LearningRateFinder(model(), beta=1.5).find(data(8), **SWEEP, batch_size=2)

    def test_plot_before_find(self):
        with pytest.raises(RuntimeError, match="Call `find` first"):
            LearningRateFinder(model()).plot_loss()

    def test_the_same_argument_under_both_names(self):
        with pytest.raises(TypeError, match="both its names"):
            LearningRateFinder(model()).find(data(8), startLR=1e-5, **SWEEP)


WRONG_TYPES = {
    "train_data": 3,
    "start_lr": "a",
    "end_lr": None,
    "epochs": "2",
    "steps_per_epoch": [4],
    "batch_size": "3",
    "sample_size": "many",
    "verbose": "loud",
    "num_steps": "20",
    "monitor": 3,
    "validation_data": 3,
    "validation_steps": "all",
    "class_weight": 3,
    "callbacks": 3,
    "train_steps": "20",
    "verify": "yes",
}


@pytest.mark.parametrize("name", WRONG_TYPES)
def test_an_argument_of_a_wrong_type_is_named(name):
    arguments = {"train_data": data(64), **SWEEP, name: WRONG_TYPES[name]}
    with pytest.raises(TypeError, match=f"`{name}` must be .* Received: {name}="):
        LearningRateFinder(model()).find(**arguments)


@pytest.mark.parametrize(
    "name, value",
    [
        ("num_steps", "2"),
        ("ramp", 3),
        ("stop_factor", "x"),
        ("beta", "b"),
        ("steps_per_lr", [1]),
        ("monitor", 3),
        ("validation_data", 3),
        ("validation_steps", "a"),
        ("snapshot_dir", 3.5),
        ("restore", "no"),
    ],
)
def test_an_argument_of_the_callback_of_a_wrong_type_is_named(name, value):
    with pytest.raises(TypeError, match=f"`{name}` must be .* Received: {name}="):
        LRFinder(**{name: value})


def test_one_callback_may_stand_alone():
    seen = Interrupting(RuntimeError("stop"), 2)
    with pytest.raises(RuntimeError, match="stop"):
        LearningRateFinder(model()).find(data(64), **SWEEP, num_steps=8, callbacks=seen)


class TestTutorialNames:
    def test_camel_case_keywords_mean_the_same(self):
        x, y = data(64)
        ours = LearningRateFinder(model(), stop_factor=3, beta=0.9)
        ours.find((x, y), 1e-5, 1.0, steps_per_epoch=4, batch_size=16, sample_size=10, verbose=0)
        tutorial = LearningRateFinder(model(), stopFactor=3, beta=0.9)
        tutorial.find(
            (x, y), startLR=1e-5, endLR=1.0, stepsPerEpoch=4.0, batchSize=16, sampleSize=10, verbose=0
        )
        assert tutorial.lrs == ours.lrs
        assert tutorial.losses == ours.losses
        assert isinstance(tutorial.losses, list)
        axes = tutorial.plot_loss(skipBegin=1, skipEnd=2, title="found")
        assert axes.get_title() == "found"
        assert len(axes.lines[0].get_xdata()) == 12 - 3


class TestPeriodicLRFinder:
    def test_training_goes_on_as_if_the_sweeps_had_not_been_there(self):
        x, y = data(70)

        def trained(*callbacks):
            network = model(keras.optimizers.Adam(0.01))
            history = network.fit(
                x, y, batch_size=16, epochs=4, validation_split=0.2, callbacks=callbacks, verbose=0
            )
            return history.history, state(network)["variables"]

        periodic = PeriodicLRFinder((x, y), every=2, **PERIODIC)
        (history, without), (swept_history, after) = trained(), trained(periodic)
        assert list(periodic.curves) == [2, 4]
        assert periodic.curves[2].raw_losses.tolist() != periodic.curves[4].raw_losses.tolist()
        assert swept_history == history
        for expected, got in zip(without, after, strict=True):
            np.testing.assert_array_equal(got, expected)

    def test_apply_gives_the_optimizer_what_the_method_suggests(self):
        x, y = data(70)
        network = model(keras.optimizers.SGD(1e-9))
        periodic = PeriodicLRFinder((x, y), every=1, apply="minimum", **{**PERIODIC, "epochs": 40})
        network.fit(x, y, callbacks=[periodic], verbose=0)
        suggested = periodic.curves[1].suggest("minimum").max_lr
        assert float(network.optimizer.learning_rate) == pytest.approx(suggested, rel=1e-6)

    def test_applying_beside_another_driver_is_refused_and_recording_is_not(self):
        x, y = data(16)
        cyclic = CyclicLR(1e-3, 1e-2, step_size=2)
        for apply in ("bounds", None):
            periodic = PeriodicLRFinder((x, y), every=1, apply=apply, **PERIODIC)
            refused = pytest.raises(
                RuntimeError, match=r"PeriodicLRFinder` and `CyclicLR|CyclicLR` and `Periodic"
            )
            with refused if apply else nullcontext():
                model().fit(x, y, batch_size=4, epochs=1, callbacks=[periodic, cyclic], verbose=0)

    def test_applying_what_was_verified(self):
        x, y = data(70)
        network = model(keras.optimizers.SGD(1e-9))
        sweep = {**PERIODIC, "epochs": 40, "verify": 120}
        periodic = PeriodicLRFinder((x, y), every=1, apply="verified", **sweep)
        network.fit(x, y, callbacks=[periodic], verbose=0)
        (curve,) = periodic.curves.values()
        best = min(curve.probes, key=lambda probe: (-probe.steps, probe.loss))
        assert curve.suggest("verified").max_lr <= best.max_lr
        applied = float(network.optimizer.learning_rate)
        assert applied == pytest.approx(curve.suggest("verified").max_lr, rel=1e-6)

    def test_applying_to_a_schedule_is_refused_and_recording_is_not(self):
        x, y = data(16)
        schedule = keras.optimizers.schedules.ExponentialDecay(1e-2, 100, 0.9)
        for apply in ("bounds", None):
            periodic = PeriodicLRFinder((x, y), every=1, apply=apply, **PERIODIC)
            refused = pytest.raises(RuntimeError, match="`ExponentialDecay` both drive")
            with refused if apply else nullcontext():
                network = model(keras.optimizers.SGD(schedule))
                network.fit(x, y, batch_size=4, callbacks=[periodic], verbose=0)

    def test_a_curve_without_a_suggestion_changes_nothing(self):
        x, y = data(70)
        network = model(keras.optimizers.SGD(0.125))
        sweep = {**PERIODIC, "start_lr": 1e-12, "end_lr": 1e-11}
        periodic = PeriodicLRFinder((x, y), every=1, apply="bounds", **sweep)
        with pytest.warns(UserWarning, match="the learning rate stays as it is: the loss is flat"):
            network.fit(x, y, callbacks=[periodic], verbose=0)
        assert float(network.optimizer.learning_rate) == 0.125
        assert len(periodic.curves) == 1

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"strat_lr": 1e-4, **PERIODIC}, "unexpected keyword argument 'strat_lr'"),
            ({"end_lr": 1.0}, "needs `start_lr`"),
            ({"startLR": 1e-4}, "needs `end_lr`"),
            ({"stopFactor": 2, **PERIODIC}, "unexpected keyword argument 'stopFactor'"),
            ({"trainData": 2, **PERIODIC}, "unexpected keyword argument 'trainData'"),
        ],
    )
    def test_arguments_that_find_does_not_have_are_refused_before_the_training(self, arguments, message):
        with pytest.raises(TypeError, match=rf"`PeriodicLRFinder` .*{message}"):
            PeriodicLRFinder(data(8), every=1, **arguments)

    def test_curves_are_handed_out_as_they_come(self):
        x, y = data(70)
        kept = []
        periodic = PeriodicLRFinder((x, y), every=1, keep=kept.append, **PERIODIC)
        model().fit(x, y, epochs=2, callbacks=[periodic], verbose=0)
        assert [curve.lrs.tolist() for curve in kept] == [c.lrs.tolist() for c in periodic.curves.values()]

    def test_applying_what_was_verified_says_so_where_nothing_could_be_tried(self):
        x, y = data(70)
        network = model(keras.optimizers.SGD(0.125))
        few = {**PERIODIC, "epochs": None, "num_steps": 20, "verify": True}
        periodic = PeriodicLRFinder((x, y), every=1, apply="verified", **few)
        with pytest.warns(UserWarning, match="stays as it is: the curve has no probes"):
            network.fit(x, y, callbacks=[periodic], verbose=0)
        assert float(network.optimizer.learning_rate) == 0.125

    @pytest.mark.parametrize(
        "arguments, message",
        [
            ({"every": 0}, "`every` must be a whole"),
            ({"every": 1, "apply": "best"}, "`apply` must be None or one"),
            ({"every": 1, "apply": "verified"}, "Pass `verify=True`"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            PeriodicLRFinder(data(8), **arguments)


def test_arrays_last_for_a_sweep_that_is_made_up_to_whole_rates():
    x, y = data(40)
    finder = LearningRateFinder(model(), stop_factor=None, steps_per_lr=4)
    curve = finder.find((x, y), 1e-4, 1.0, epochs=1, steps_per_epoch=10, batch_size=4, verbose=0)
    assert (len(curve), curve.stop_reason) == (3, "end_lr")


class TestRepeats:
    """`repeats=n`: n sweeps from the same state on the batches that come next."""

    def test_each_sweep_begins_from_the_same_state(self):
        x, y = data(16)
        network = model(keras.optimizers.SGD(0.1, momentum=0.9), dropout=0)
        curve = LearningRateFinder(network, stop_factor=None, repeats=3).find((x, y), **REPEATED)
        assert curve.sweep_losses.shape == (3, 10)
        np.testing.assert_allclose(curve.sweep_losses[1:], curve.sweep_losses[[0, 0]], rtol=1e-3)

    def test_sweeps_see_other_batches_and_the_curve_is_their_mean(self):
        x, y = data(160)
        curve = LearningRateFinder(model(), stop_factor=None, repeats=3).find((x, y), **REPEATED)
        assert len({tuple(losses) for losses in curve.sweep_losses}) == 3
        np.testing.assert_allclose(curve.raw_losses, curve.sweep_losses.mean(axis=0))
        assert len(curve) == 100

    def test_model_is_put_back_bit_for_bit(self):
        x, y = data(160)
        network = model(keras.optimizers.Adam(0.01))
        network.fit(x, y, verbose=0)
        before = state(network)
        LearningRateFinder(network, repeats=2).find((x, y), **REPEATED)
        assert_same_state(before, state(network))

    def test_suggestion_tells_how_far_the_sweeps_lie_apart(self):
        x, y = data(320)
        curve = LearningRateFinder(model(), repeats=3).find((x, y), **{**REPEATED, "epochs": 20})
        single = [suggest(curve.lrs, losses).max_lr for losses in curve.sweep_losses]
        spread = pytest.approx(statistics.stdev(np.log10(single)))
        assert curve.probes
        assert [curve.suggest(method).spread for method in ("bounds", None)] == [spread, spread]

    def test_sweeps_that_are_cut_short_are_told(self):
        x, y = data(160)
        generator = (batch for batch in batches(x, y, 8) * 3)
        finder = LearningRateFinder(model(), stop_factor=None, repeats=3)
        with pytest.warns(UserWarning) as told:
            curve = finder.find(generator, 1e-5, 1.0, num_steps=40, verbose=0)
        assert "sweep 2 was cut short (exhausted), and the curve is of the 1 before" in str(told[-1].message)
        assert (len(curve), len(curve.sweep_losses)) == (40, 1)

    def test_steps_that_were_done_are_counted_not_rates(self):
        x, y = data(160)
        generator = (batch for batch in batches(x, y, 8))
        finder = LearningRateFinder(model(), stop_factor=None, steps_per_lr=4)
        with pytest.warns(UserWarning) as told:
            finder.find(generator, 1e-5, 1.0, num_steps=80, verbose=0)
        assert "ran out after 20 of 80 steps" in str(told[-1].message)

    def test_keeping_the_mock_weights_cannot_be_combined(self):
        with (
            pytest.warns(DeprecationWarning, match="`LRFinder`: `repeats`"),
            pytest.raises(ValueError, match=r"needs `restore=True`\. Received: repeats=2, restore=False"),
        ):
            LRFinder(repeats=2, restore=False)

    @pytest.mark.parametrize("repeats", [0, -1, 1.5])
    def test_number_that_is_not_a_count_is_refused(self, repeats):
        with pytest.raises(ValueError, match=rf"`repeats` must .* at least 1\. Received: repeats={repeats}"):
            LearningRateFinder(model(), repeats=repeats)


class TestVerify:
    """`verify=True`: what trains best in short trainings becomes the answer."""

    @staticmethod
    def line(count=320):
        """A linear problem that SGD solves for rates below 1 and not for those above."""
        x = np.random.default_rng(0).normal(size=(count, 1)).astype("float32")
        network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
        network.compile(keras.optimizers.SGD(0.1), "mse")
        return network, x, 3 * x + np.random.default_rng(1).normal(scale=0.1, size=x.shape).astype("float32")

    def test_answer_is_what_trained_best_of_those_tried_longest(self):
        network, x, y = self.line()
        curve = LearningRateFinder(network).find((x, y), **VERIFIED, verify=240)
        longest = [p for p in curve.probes if p.steps == max(probe.steps for probe in curve.probes)]
        assert len(longest) >= 3
        best = min(longest, key=lambda probe: probe.loss)
        found = curve.suggest()
        (chosen,) = [probe for probe in longest if probe.max_lr == found.max_lr]
        assert (found.base_lr, found.method) == (chosen.base_lr, "verified")
        assert best.loss <= chosen.loss <= best.loss + best.tolerance()
        assert curve.suggest("bounds").method == "bounds"

    def test_probe_is_a_training_with_that_cycle(self):
        network, x, y = self.line(16)
        curve = LearningRateFinder(network).find((x, y), **{**VERIFIED, "epochs": 200}, verify=120)
        probe = curve.probes[0]
        losses = []
        for lr in [
            *np.linspace(probe.base_lr, probe.max_lr, 6),
            *np.linspace(probe.max_lr, probe.base_lr, 6)[1:-1],
        ]:
            network.optimizer.learning_rate = lr
            losses.append(logs_of_step(network, x, y)["loss"])
        assert probe.steps == 10
        assert probe.first_loss == pytest.approx(
            losses[0], rel=1e-3
        )  # the sweep begins far below these rates
        assert probe.loss == pytest.approx(np.mean(losses[-2:]), rel=1e-3)

    def test_first_batch_that_is_easy_by_chance_does_not_make_every_probe_look_as_if_it_learnt_nothing(self):
        rng = np.random.default_rng(0)
        x = rng.normal(size=(128, 4)).astype("float32")
        y = x.sum(axis=1, keepdims=True) + rng.normal(size=(128, 1)).astype("float32")
        x[:8], y[:8] = 0.01, 0.01
        network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, kernel_initializer="zeros")])
        network.compile(keras.optimizers.SGD(), "mse")
        batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
        curve = LearningRateFinder(network).find(batches, 1e-6, 10.0, num_steps=80, verbose=0)
        assert curve.raw_losses[0] < 1e-3
        assert 0.01 < curve.suggest("verified").max_lr < 1.0
        began_with = [probe.first_loss for probe in curve.probes if not probe.diverged]
        assert began_with == pytest.approx([5.0] * len(began_with), rel=0.2)

    def test_probe_whose_last_loss_is_not_finite_has_diverged(self, tmp_path):
        network, x, y = self.line(16)
        finder = LearningRateFinder(network)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Sweep, "record", self.with_nan_at_the_tenth_step(Sweep.record))
            curve = finder.find((x, y), **{**VERIFIED, "epochs": 200}, verify=120)
        assert [probe.loss for probe in curve.probes if probe.steps == 10]
        assert all(probe.loss == np.inf for probe in curve.probes if probe.steps == 10)
        curve.save(tmp_path / "curve.json")

    @staticmethod
    def with_nan_at_the_tenth_step(record):
        def recording(sweep, loss, *args):
            is_last_of_probe = sweep.num_steps == 10 and len(sweep.raw_losses) == 9
            return record(sweep, math.nan if is_last_of_probe else loss, *args)

        return recording

    @pytest.mark.parametrize("of", ["Verify", "find", "dataset with steps"])
    def test_validation_data_decide_which_rate_did_best(self, of):
        """Their answers are the opposite of the training's: the highest rate is the worst by far."""
        network, x, y = self.line()
        network.fit(x, y, verbose=0)
        before = state(network)
        opposite = (x[:40], -3 * x[:40])
        settings = {
            "Verify": {"verify": Verify(240, validation_data=opposite)},
            "find": {"verify": 240, "validation_data": opposite},
            "dataset with steps": {
                "verify": Verify(
                    240,
                    tf.data.Dataset.from_tensor_slices(opposite).batch(10).repeat(),
                    validation_steps=4,
                )
            },
        }[of]
        curve = LearningRateFinder(network).find((x, y), **VERIFIED, **settings)
        assert_same_state(before, state(network))
        by_training = LearningRateFinder(network).find((x, y), **VERIFIED, verify=240)
        assert min(p.max_lr for p in curve.probes) < min(p.max_lr for p in by_training.probes)
        began_with = network.evaluate(*opposite, verbose=0)
        trained = [probe for probe in curve.probes if not probe.diverged]
        assert [probe.first_loss for probe in trained] == pytest.approx([began_with] * len(trained))
        assert {probe.error for probe in trained} == {0.0}

    @pytest.mark.parametrize(
        ("swept", "tried", "labels"),
        [
            ("training", "training", ("loss of each step", "tried for 10 steps each")),
            ("training", "validation", ("loss of each step", "tried for 10 steps each, validation loss")),
            ("validation", "validation", ("validation loss of each rate", "tried for 10 steps each")),
            (
                "validation",
                "training",
                ("validation loss of each rate", "tried for 10 steps each, training loss"),
            ),
        ],
    )
    def test_says_on_which_data_losses_are(self, swept, tried, labels, tmp_path):
        network, x, y = self.line(16)
        held_out = (x[:6], y[:6] + 1)
        settings = {"verify": Verify(120, held_out if tried == "validation" else None)}
        if swept == "validation":
            of_each = (held_out for _ in range(10**6)) if tried == "training" else held_out
            settings |= {"validation_data": of_each, "validation_steps": 1 if tried == "training" else None}
        curve = LearningRateFinder(network).find((x, y), **{**VERIFIED, "epochs": 200}, **settings)
        curve.save(tmp_path / "curve.csv")
        for each in (curve, LRCurve.load(tmp_path / "curve.csv")):
            shown = each.plot().get_legend().get_texts()
            assert set(labels) <= {text.get_text() for text in shown}
            told = "the best validation loss, " in each.suggest().reason
            assert told == (tried == "validation")

    def test_probe_is_judged_by_what_evaluate_gives_after_its_cycle(self):
        network, x, y = self.line(16)
        held_out = (x[:6], y[:6] + 1)
        verify = Verify(120, validation_data=held_out)
        curve = LearningRateFinder(network).find((x, y), **{**VERIFIED, "epochs": 200}, verify=verify)
        probe = curve.probes[0]
        up = np.linspace(probe.base_lr, probe.max_lr, 6)
        for lr in [*up, *up[-2:0:-1]]:
            network.optimizer.learning_rate = lr
            network.train_on_batch(x, y)
        assert probe.steps == 10
        assert probe.loss == pytest.approx(network.evaluate(*held_out, verbose=0), rel=1e-5)

    def test_validation_data_that_cannot_start_again_are_refused(self):
        network, x, y = self.line()
        finder = LearningRateFinder(network)
        batches = ((x, y) for _ in range(1000))
        with pytest.raises(ValueError, match=r"`Verify` compares.* generator cannot start again"):
            finder.find((x, y), **VERIFIED, verify=Verify(validation_data=batches, validation_steps=1))
        with pytest.raises(ValueError, match=r"`Verify`: `validation_steps` says how many batches"):
            finder.find((x, y), **VERIFIED, verify=Verify(validation_steps=1))
        assert finder.curve is None
        sweep = {**VERIFIED, "validation_data": batches, "validation_steps": 1}
        assert finder.find((x, y), **sweep, verify=120).probes  # judged by the training
        assert next(batches)

    def test_progress_names_the_rate_that_is_tried(self, capsys):
        network, x, y = self.line()
        curve = LearningRateFinder(network).find((x, y), **{**VERIFIED, "verbose": 2}, verify=120)
        shown = re.findall(r"max_lr: (\S+) - loss", capsys.readouterr().out)
        assert [float(lr) for lr in shown] == pytest.approx([p.max_lr for p in curve.probes], rel=1e-3)

    def test_progress_of_a_probe_ends_with_the_loss_that_it_is_judged_by(self, capsys):
        network, x, y = self.line()
        curve = LearningRateFinder(network).find((x, y), **{**VERIFIED, "verbose": 2}, verify=120)
        shown = re.findall(r"max_lr: \S+ - loss: (\S+)", capsys.readouterr().out)
        assert [float(loss) for loss in shown] == pytest.approx([p.loss for p in curve.probes], abs=1e-4)

    def test_steps_are_bounded(self):
        network, x, y = self.line()
        for verify_steps in (120, 500):
            curve = LearningRateFinder(network).find((x, y), **VERIFIED, verify=verify_steps)
            assert verify_steps / 3 < sum(probe.steps for probe in curve.probes) <= verify_steps

    def test_model_is_put_back_bit_for_bit(self):
        network, x, y = self.line()
        network.fit(x, y, verbose=0)
        before = state(network)
        LearningRateFinder(network).find((x, y), **VERIFIED, verify=120)
        assert_same_state(before, state(network))

    def test_curve_without_an_answer_is_not_verified(self):
        network, x, y = self.line()
        sweep = {**VERIFIED, "start_lr": 1e-12, "end_lr": 1e-11}
        curve = LearningRateFinder(network).find((x, y), **sweep, verify=True)
        assert curve.probes == ()
        with pytest.raises(NoSuggestion):
            curve.suggest()

    def test_curve_that_never_turned_is_tried_from_its_lowest_loss(self):
        network, x, y = self.line()
        sweep = {**VERIFIED, "end_lr": 0.05}
        curve = LearningRateFinder(network).find((x, y), **sweep, verify=240)
        with pytest.raises(NoSuggestion, match=r"never turned upwards.*`suggest\(\)` gives what was tried\."):
            curve.suggest("bounds")
        assert 0.01 < curve.suggest().max_lr <= 0.05

    def test_refusal_that_was_not_tried_says_how_it_can_be(self):
        network, x, y = self.line()
        sweep = {**VERIFIED, "end_lr": 0.05}
        curve = LearningRateFinder(network).find((x, y), **sweep, verify=False)
        how = "rates around that are untried: pass `verify=True`, and rates around it are tried"
        with pytest.raises(NoSuggestion, match=f"never turned upwards.*{how}"):
            curve.suggest()

    @pytest.mark.parametrize("verify", [600, Verify(600)])
    def test_generator_is_refused_before_anything_is_taken_from_it(self, verify):
        network, x, y = self.line()
        generator = (batch for batch in [(x, y)])
        with pytest.raises(ValueError, match="a generator cannot start again"):
            LearningRateFinder(network).find(generator, 1e-6, 1.0, steps_per_epoch=2, verify=verify)
        assert len(list(generator)) == 1

    def test_too_few_steps_are_refused_before_the_sweep(self):
        network, x, y = self.line()
        finder = LearningRateFinder(network)
        with pytest.raises(ValueError, match=r"`verify` must be .* at least 120\. Received: verify=100"):
            finder.find((x, y), **VERIFIED, verify=100)
        assert finder.curve is None

    def test_shortest_call_gives_a_tried_answer_at_three_times_the_cost_of_the_sweep(self):
        network, x, y = self.line()
        curve = LearningRateFinder(network).find((x, y), 1e-6, 10.0, verbose=0)
        planned = math.ceil(2048 / 10) * 10  # whole passes of ten batches
        assert curve.suggest().method == "verified"
        assert 0 < sum(probe.steps for probe in curve.probes) <= 3 * planned

    @pytest.mark.parametrize(("num_steps", "most"), [(64, 192), (200, 600), (1000, 1200)])
    def test_probes_take_three_times_the_sweep_and_at_most_1200_steps(self, num_steps, most):
        network, x, y = self.line()
        curve = LearningRateFinder(network, stop_factor=None).find(
            (x, y), 1e-6, 0.9, num_steps=num_steps, verbose=0
        )
        assert most / 3 < sum(probe.steps for probe in curve.probes) <= most

    @pytest.mark.parametrize(
        ("data", "how"),
        [
            ("generator", "a generator cannot start again. Pass arrays"),
            (
                "short sweep",
                "3 times as many steps as the sweep's are too few to try rates in. Pass `verify=120`",
            ),
            ("asked not to", "pass `verify=True`, and rates around it are tried."),
        ],
    )
    def test_answer_that_was_not_tried_says_so_and_how_it_can_be(self, data, how):
        keras.utils.set_random_seed(0)  # of so short a sweep not every order of the samples has an answer
        network, x, y = self.line(3200 if data == "generator" else 320)
        settings = {"verbose": 0, "num_steps": 39 if data == "short sweep" else 100}
        source = (x, y)
        if data == "generator":
            source = ((x[i : i + 32], y[i : i + 32]) for i in range(0, 3200, 32))
            with pytest.warns(UserWarning, match="cannot be rewound"):
                curve = LearningRateFinder(network).find(source, 1e-6, 10.0, **settings)
        else:
            verify = data == "short sweep"
            curve = LearningRateFinder(network).find(source, 1e-6, 10.0, **settings, verify=verify)
        assert curve.probes == ()
        found = curve.suggest()
        assert found.method == "bounds"
        assert f"It is untried: {how}" in found.reason
        assert found.reason.count("untried") == 1
        assert f"It is untried: {how}" in curve.suggest("constant").reason
        assert "untried" not in curve.suggest("steep").reason

    def test_advice_on_a_short_sweep_that_was_not_tried_helps(self):
        network, x, y = self.line(320)
        sweep = {"verbose": 0, "num_steps": 39}
        assert LearningRateFinder(network).find((x, y), 1e-6, 10.0, **sweep, verify=120).probes
        assert LearningRateFinder(network).find((x, y), 1e-6, 10.0, **{**sweep, "num_steps": 40}).probes

    def test_curves_answer_of_a_curve_that_was_tried_names_the_tried_one(self):
        network, x, y = self.line()
        curve = LearningRateFinder(network).find((x, y), **VERIFIED, verify=120)
        for method in ("bounds", "constant"):
            reason = curve.suggest(method).reason
            assert reason.endswith("It is untried: `suggest()` gives what was tried.")

    def test_verify_that_is_asked_for_is_refused_for_a_generator(self):
        network, x, y = self.line()
        batches = ((x, y) for _ in range(1000))
        for verify in (120, Verify(), Verify(120), Verify(validation_data=(x, y))):
            with pytest.raises(ValueError, match=r"`verify` trains on the same data again and again"):
                LearningRateFinder(network).find(batches, **VERIFIED, verify=verify)

    def test_probes_do_not_get_the_callbacks(self):
        network, x, y = self.line()
        steps = []
        counts = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: steps.append(batch))
        curve = LearningRateFinder(network).find((x, y), **VERIFIED, callbacks=[counts], verify=120)
        assert curve.probes
        assert len(steps) == len(curve)

    @staticmethod
    def eager_line(at_step=None, count=256):
        """The same, step by step, with the first sample of each batch; an interruption at a step of all."""
        seen = []

        class Seeing(keras.Model):
            def train_step(self, batch):
                if len(seen) == at_step:
                    raise KeyboardInterrupt
                seen.append(float(batch[0][0, 0]))
                return super().train_step(batch)

        inputs = keras.Input((1,))
        network = Seeing(inputs, keras.layers.Dense(1, kernel_initializer="zeros")(inputs))
        network.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
        x = np.random.default_rng(0).normal(size=(count, 1)).astype("float32")
        return network, x, 3 * x, seen

    @pytest.mark.parametrize("seeded", [True, False])
    def test_sweep_and_probes_see_the_same_batches_even_without_a_seed(self, seeded, monkeypatch):
        keras.utils.set_random_seed(1)
        if not seeded:
            for name in ("_seed", "_rng"):
                monkeypatch.setattr(context.context(), name, None)
        network, x, y, seen = self.eager_line()
        curve = LearningRateFinder(network, stop_factor=None).find(
            (x, y), 1e-6, 0.5, num_steps=40, batch_size=32, verify=120, verbose=0
        )
        lengths = [40, curve.probes[0].steps, *(probe.steps for probe in curve.probes)]
        lengths[1:3] = lengths[2:0:-1]  # the first probe, and then the steps that change nothing
        begins = np.cumsum([0, *lengths[:-1]])
        assert sum(lengths) == len(seen)
        assert len({tuple(seen[begin : begin + 10]) for begin in begins}) == 1
        assert len(set(seen[:8])) == 8

    def test_other_finds_without_a_seed_see_other_orders(self, monkeypatch):
        for name in ("_seed", "_rng"):
            monkeypatch.setattr(context.context(), name, None)
        network, x, y, seen = self.eager_line()
        for _ in range(2):
            LearningRateFinder(network).find((x, y), 1e-6, 1e-5, num_steps=8, batch_size=32, verbose=0)
        assert seen[:8] != seen[8:]
        assert context.context()._seed is None

    def test_narrow_sweep_is_tried_at_its_own_rates(self):
        network, x, y = self.line()
        curve = LearningRateFinder(network).find((x, y), 4e-3, 9e-3, num_steps=40, verify=120, verbose=0)
        assert curve.probes
        assert all(4e-3 * (1 - 1e-6) <= probe.max_lr <= 9e-3 * (1 + 1e-6) for probe in curve.probes)
        assert curve.suggest().method == "verified"

    def test_curve_whose_answer_is_too_near_its_start_is_tried(self):
        network, x, y = self.line()
        curve = LearningRateFinder(network).find(
            (x, y), 0.3, 30.0, num_steps=40, batch_size=16, verify=120, verbose=0
        )
        with pytest.raises(NoSuggestion) as refusal:
            curve.suggest("bounds")
        assert refusal.value.lowest_lr is not None
        assert curve.suggest().method == "verified"

    def test_answer_of_what_was_tried_until_an_interruption_says_so(self):
        network, x, y, seen = self.eager_line(at_step=75)
        finder = LearningRateFinder(network, stop_factor=None)
        settings = {"num_steps": 40, "batch_size": 32, "verify": 120, "verbose": 0}
        with pytest.raises(KeyboardInterrupt):
            finder.find((x, y), 1e-6, 0.5, **settings)
        assert finder.curve.probes
        assert finder.curve.suggest().reason.endswith("Trying was stopped before its end.")
        seen.clear()
        whole = self.eager_line()[0]
        again = LearningRateFinder(whole, stop_factor=None, earlier=finder.curve)
        assert "stopped" not in again.find((x, y), 1e-6, 0.5, **settings).suggest().reason

    def test_interruption_before_a_rate_was_tried_is_told(self):
        network, x, y, _ = self.eager_line(at_step=43)
        finder = LearningRateFinder(network, stop_factor=None)
        with pytest.raises(KeyboardInterrupt):
            finder.find((x, y), 1e-6, 0.5, num_steps=40, batch_size=32, verify=120, verbose=0)
        assert finder.curve.probes == ()
        for find_answer in (finder.curve.suggest,):
            try:
                said = find_answer().reason
            except NoSuggestion as refusal:
                said = str(refusal)
            assert said.endswith("it was stopped before a rate was tried. Call `find` again.")

    def test_last_probes_are_no_longer_than_the_training_will_be(self):
        network, x, y = self.line()
        curve = LearningRateFinder(network).find((x, y), **VERIFIED, train_steps=20, verify=600)
        assert max(probe.steps for probe in curve.probes) == 20

    def test_cost_is_said_before_and_the_answer_after(self, capsys):
        network, x, y = self.line()
        curve = LearningRateFinder(network).find((x, y), **{**VERIFIED, "verbose": 2}, verify=240)
        said = capsys.readouterr().out
        before, after = said.index("in at most 220 steps after 20 that"), said.index(curve.suggest().reason)
        assert before < said.index("max_lr: ") < after

    def test_sweep_that_a_callback_stops_is_not_tried(self):
        network, x, y = self.line()

        class Stop(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                self.model.stop_training = batch == 59

        curve = LearningRateFinder(network).find((x, y), **VERIFIED, callbacks=[Stop()])
        assert (len(curve), curve.stop_reason, curve.probes) == (60, "stopped", ())


@pytest.mark.parametrize(
    "kind", [np.float32, np.float64, np.int64, lambda value: tf.constant(value, "float64")]
)
def test_curve_of_rates_of_any_kind_of_number_can_be_saved(kind, tmp_path):
    x, y = data(64)
    curve = LearningRateFinder(model()).find((x, y), 1e-3, kind(10), num_steps=20, verbose=0)
    lr_finder = LRFinder(1e-3, kind(10), num_steps=20)
    model().fit(x, y, batch_size=8, epochs=3, callbacks=[lr_finder], verbose=0)
    for number, each in enumerate((curve, lr_finder.curve)):
        each.save(tmp_path / f"{number}.json")
        assert LRCurve.load(tmp_path / f"{number}.json").metadata["end_lr"] == 10.0


@pytest.mark.parametrize("one_hot", [True, False])
def test_classes_of_arrays_without_a_weight_weigh_one_as_in_fit(one_hot):
    keras.utils.set_random_seed(0)
    x, labels = np.random.default_rng(0).normal(size=(64, 4)).astype("float32"), np.arange(64) % 3
    y = np.eye(3)[labels] if one_hot else labels
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "softmax")])
    network.compile("sgd", "categorical_crossentropy" if one_hot else "sparse_categorical_crossentropy")
    sweep = {"num_steps": 8, "batch_size": 8, "verbose": 0, "verify": False}
    curves = []
    for weights in ({1: 3.0}, {0: 1.0, 1: 3.0, 2: 1.0}):
        keras.utils.set_random_seed(1)
        curves.append(LearningRateFinder(network).find((x, y), 1e-3, 1e-1, class_weight=weights, **sweep))
    assert curves[0].raw_losses.tolist() == curves[1].raw_losses.tolist()
    plain = LearningRateFinder(network).find((x, y), 1e-3, 1e-1, **sweep)
    assert plain.raw_losses.mean() < curves[0].raw_losses.mean()


def test_order_in_a_list_that_reading_batches_shuffles_is_put_back():
    x, y = data(64)

    class Shuffling(keras.utils.PyDataset):
        def __init__(self):
            super().__init__()
            self.order = list(range(8))
            self.names = ["a", "b"]

        def __len__(self):
            return 8

        def __getitem__(self, index):
            self.order.reverse()
            self.names = ["c"]
            rows = slice(8 * self.order[index], 8 * self.order[index] + 8)
            return x[rows], y[rows]

    dataset = Shuffling()
    order, names = dataset.order, dataset.names
    LearningRateFinder(model()).find(dataset, 1e-5, 1.0, num_steps=15, verbose=0, verify=False)
    assert (dataset.order, dataset.names) == (list(range(8)), ["a", "b"])
    assert dataset.order is order and dataset.names is names


class Compiled(keras.Model):
    """Its training step, or a part of it, is a `tf.function`."""

    def __init__(self, whole):
        super().__init__()
        self.dense, self.whole = keras.layers.Dense(1, kernel_initializer="zeros"), whole
        if whole:
            self.train_step = self.compiled_step

    def call(self, x):
        return self.dense(x)

    def train_step(self, batch):
        return self.compiled_step(batch)

    @tf.function
    def compiled_step(self, batch):
        x, y = batch
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(self(x, training=True) - y))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


@pytest.mark.parametrize("whole", [True, False])
def test_optimizers_are_compared_on_a_model_that_has_compiled_its_step_before(whole):
    x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    dataset = tf.data.Dataset.from_tensor_slices((x, x.sum(axis=1, keepdims=True))).batch(8)

    def curves_of(trained):
        keras.utils.set_random_seed(0)
        network = Compiled(whole)
        network.compile(keras.optimizers.SGD(0.0))
        network(x[:1])
        if trained:
            network.fit(dataset, shuffle=False, verbose=0)
        before = [int(network.optimizer.iterations)]
        curves = compare(network, {"SGD": "sgd", "Adam": "adam"}, dataset, 1e-3, 1.0, num_steps=16, verbose=0)
        assert [int(network.optimizer.iterations)] == before
        return {label: curve.raw_losses for label, curve in curves.items()}

    trained, fresh = curves_of(True), curves_of(False)
    for label in ("SGD", "Adam"):
        np.testing.assert_allclose(trained[label], fresh[label], rtol=1e-5)
    assert not np.allclose(trained["SGD"], trained["Adam"])


def test_a_schedule_is_swept_in_long_executions_after_a_prediction_too():
    x, y = data(64)
    schedule = keras.optimizers.schedules.CosineDecay(0.05, 40)
    network = model(keras.optimizers.SGD(schedule), steps_per_execution=4)
    network.predict(x, verbose=0)
    lr_finder = LRFinder(1e-4, 1.0, num_steps=16)
    network.fit(x, y, batch_size=4, verbose=0, callbacks=[lr_finder])
    assert len(set(lr_finder.curve.lrs.tolist())) == 16
    curve = LearningRateFinder(network).find((x, y), 1e-4, 1.0, num_steps=16, verbose=0, verify=False)
    assert curve.metadata["recorder"] == "fast"


def test_seeded_operations_go_on_counting_after_a_sweep_without_a_global_seed(monkeypatch):
    for name in ("_seed", "_rng"):
        monkeypatch.setattr(context.context(), name, None)
    first = float(tf.random.uniform([], seed=1))
    LearningRateFinder(model()).find(data(64), 1e-5, 1.0, num_steps=20, verbose=0, verify=False)
    assert float(tf.random.uniform([], seed=1)) != first


def test_compiled_method_of_another_object_keeps_its_object():
    class Doubling:
        factor = 2.0

        @tf.function
        def double(self, x):
            return self.factor * x

    class WithHelper(Compiled):
        def __init__(self):
            super().__init__(whole=False)
            self.helper = Doubling()
            self.doubled = self.helper.double

        def call(self, x):
            return self.dense(self.doubled(x))

    network = WithHelper()
    network.compile("sgd")
    x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    dataset = tf.data.Dataset.from_tensor_slices((x, x.sum(axis=1, keepdims=True))).batch(8)
    curves = compare(network, {"SGD": "sgd"}, dataset, 1e-3, 1.0, num_steps=16, verbose=0)
    assert len(curves["SGD"]) > 1


def test_part_of_a_step_that_was_compiled_with_a_schedule_is_swept():
    x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    dataset = tf.data.Dataset.from_tensor_slices((x, x.sum(axis=1, keepdims=True))).batch(8)
    losses = []
    for optimizer in (
        keras.optimizers.SGD(0.0),
        keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.0, 9, 0.5)),
    ):
        network = Compiled(whole=False)
        network.compile(optimizer)
        network.fit(dataset, shuffle=False, verbose=0)
        curve = LearningRateFinder(network).find(dataset, 1e-3, 1.0, num_steps=16, verbose=0, verify=False)
        losses.append(curve.raw_losses)
        before = network.get_weights()
        network.fit(dataset, shuffle=False, verbose=0)  # at its own rate of 0
        for got, expected in zip(network.get_weights(), before, strict=True):
            np.testing.assert_array_equal(got, expected)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)


class TestCompare:
    OPTIMIZERS = ("SGD", "Adam")

    def test_each_curve_is_that_of_a_model_compiled_with_the_optimizer(self):
        x, y = data(70)
        dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
        optimizers = {"momentum": keras.optimizers.SGD(7.0, momentum=0.8), "Adam": "adam"}
        curves = compare(model("rmsprop"), optimizers, dataset, **SWEEP, epochs=3)
        assert list(curves) == ["momentum", "Adam"]
        for label, optimizer in (("momentum", keras.optimizers.SGD(momentum=0.8)), ("Adam", "adam")):
            alone = LearningRateFinder(model(optimizer)).find(dataset, **SWEEP, epochs=3)
            assert curves[label].raw_losses.tolist() == alone.raw_losses.tolist()
            assert curves[label].lrs.tolist() == alone.lrs.tolist()

    def test_each_optimizer_trains_a_model_that_another_has_trained(self):
        x, y = data(64)
        parts, neighbour = batches(x, y, 16), keras.callbacks.Callback()
        network, alone = model("rmsprop", dropout=0), model(keras.optimizers.Adam(), dropout=0)
        network.fit(x, y, verbose=0)
        alone.set_weights(network.get_weights())
        dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
        curve = compare(network, {"Adam": "adam"}, dataset, **SWEEP, epochs=2, callbacks=[neighbour])["Adam"]
        oracle = losses_of_train_on_batch(alone, parts * 2, np.geomspace(1e-5, 1.0, 8))
        assert curve.metadata["recorder"] == "plain"
        np.testing.assert_allclose(curve.raw_losses, oracle, rtol=2e-6)

    @pytest.mark.parametrize("optimizer", ["sgd", keras.optimizers.Adam(amsgrad=True)])
    def test_answers_are_tried_where_that_is_asked_for(self, optimizer):
        network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        network.compile("sgd", "mse")
        x = np.random.default_rng(0).normal(size=(320, 4)).astype("float32")
        data = (x, x.sum(axis=1, keepdims=True))
        curves = compare(network, {"a": optimizer}, data, 1e-5, 10, num_steps=100, verify=True, verbose=0)
        assert curves["a"].suggest().method == "verified"

    def test_copy_of_an_optimizer_has_variables_of_its_own(self):
        optimizer = keras.optimizers.Adam(0.5)
        fresh = _fresh_copy(optimizer)
        fresh.build([keras.Variable(np.ones(3, "float32"))])
        assert fresh.variables[0] is fresh.iterations
        assert len(optimizer.variables) == 2
        assert not {id(each) for each in fresh.variables} & {id(each) for each in optimizer.variables}

    def test_a_grid_of_weight_decays_in_one_test(self):
        network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        network.compile("sgd", "mean_absolute_error")
        network.set_weights([np.array([[8.0]])])
        x, y = np.ones((4, 1)), np.full((4, 1), 100.0)
        decays = {decay: keras.optimizers.SGD(weight_decay=decay) for decay in (0.25, 0.5)}
        curves = compare(
            network, decays, (x, y), 0.125, 1.0, epochs=1, batch_size=1, stop_factor=None, verbose=0
        )
        for decay, curve in curves.items():  # by hand: w shrinks by rate * decay, then gains the rate
            weight, losses = 8.0, []
            for rate in (0.125, 0.25, 0.5, 1.0):
                losses.append(100 - weight)
                weight += -rate * decay * weight + rate
            np.testing.assert_allclose(curve.raw_losses, losses, rtol=1e-6)
        assert network.get_weights()[0] == 8.0

    @pytest.mark.parametrize("seed", [None, 3], ids=["unseeded", "seeded"])
    def test_every_sweep_gets_the_same_data_in_the_same_order_and_the_same_dropout(self, seed):
        network = model()
        tf.random.set_seed(seed)
        same = {"first": keras.optimizers.Adam(), "second": keras.optimizers.Adam()}
        curves = compare(network, same, data(70), **SWEEP, epochs=3, batch_size=16)
        assert curves["first"].raw_losses.tolist() == curves["second"].raw_losses.tolist()
        assert context.global_seed() == seed

    def test_model_keeps_its_own_optimizer_loss_metrics_and_weights(self):
        x, y = data(70)

        def trained(compares):
            network = model(keras.optimizers.Adam(0.01))
            network.fit(x, y, batch_size=16, epochs=2, verbose=0)
            own, before = network.optimizer, state(network)
            if compares:
                compare(network, dict(zip("ab", self.OPTIMIZERS, strict=True)), (x, y), **SWEEP, epochs=2)
                assert network.optimizer is own
                assert_same_state(before, state(network))
            history = network.fit(x, y, batch_size=16, epochs=2, verbose=0)
            return history.history, network.get_weights()

        (history, weights), (compared_history, compared_weights) = trained(False), trained(True)
        assert compared_history == history
        for expected, got in zip(weights, compared_weights, strict=True):
            np.testing.assert_array_equal(got, expected)

    def test_optimizers_given_can_be_used_afterwards_for_another_model(self):
        optimizers = {name: keras.optimizers.get(name) for name in self.OPTIMIZERS}
        compare(model(), optimizers, data(70), **SWEEP, epochs=1)
        assert not any(optimizer.built for optimizer in optimizers.values())
        assert len(compare(model(dropout=0), optimizers, data(70), **SWEEP, epochs=1)) == 2

    def test_own_optimizer_is_back_after_an_error_in_a_sweep(self):
        network = model()
        network.fit(*data(70), verbose=0)
        own, before = network.optimizer, state(network)
        with pytest.raises(RuntimeError, match="stop"):
            compare(
                network, {"a": "adam"}, data(70), **SWEEP, epochs=2,
                callbacks=[Interrupting(RuntimeError("stop"), 0)],
            )  # fmt: skip
        assert network.optimizer is own
        assert_same_state(before, state(network))

    def test_several_models_each_with_the_optimizer_it_was_compiled_with(self):
        models = {"no dropout": model("adam", dropout=0), "dropout": model("sgd", dropout=0.5)}
        before = {label: network.get_weights() for label, network in models.items()}
        tf.random.set_seed(1)
        curves = compare(models, None, data(70), **SWEEP, epochs=2, stop_factor=None)
        alone = LearningRateFinder(models["dropout"], stop_factor=None)
        assert (
            curves["dropout"].raw_losses.tolist()
            == alone.find(data(70), **SWEEP, epochs=2).raw_losses.tolist()
        )
        assert curves["no dropout"].raw_losses.tolist() != curves["dropout"].raw_losses.tolist()
        for label, network in models.items():
            for expected, got in zip(before[label], network.get_weights(), strict=True):
                np.testing.assert_array_equal(got, expected)

    def test_unbuilt_model_starts_every_sweep_from_the_same_weights(self):
        network = model(build=False)
        curves = compare(network, {"a": "sgd", "b": "sgd"}, data(70), **SWEEP, epochs=1)
        assert curves["a"].raw_losses.tolist() == curves["b"].raw_losses.tolist()
        assert not network.optimizer.built

    def test_loss_scaling_of_mixed_precision_is_kept(self):
        network = model(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)))
        curves = compare(network, {"Adam": "adam"}, data(70), **SWEEP, epochs=1)
        alone = model(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()))
        tf.random.set_seed(0)
        expected = LearningRateFinder(alone).find(data(70), **SWEEP, epochs=1)
        tf.random.set_seed(0)
        again = compare(network, {"Adam": "adam"}, data(70), **SWEEP, epochs=1)
        assert again["Adam"].raw_losses.tolist() == expected.raw_losses.tolist()
        assert len(curves["Adam"]) == 3

    @pytest.mark.parametrize(
        "make_arguments, message",
        [
            (lambda: (model(), None, data(8)), "one model and a dict of label to optimizer"),
            (lambda: (model(), {}, data(8)), "one model and a dict of label to optimizer"),
            (lambda: ({"a": model()}, {"a": "sgd"}, data(8)), "`optimizers=None`"),
            (lambda: ({}, None, data(8)), "`optimizers=None`"),
            (lambda: (model(), {"a": "sgd"}, (part for part in [data(8)])), "cannot be rewound"),
        ],
    )
    def test_bad_arguments(self, make_arguments, message):
        with pytest.raises(TypeError, match=message):
            compare(*make_arguments(), **SWEEP)

    def test_model_that_is_not_compiled(self):
        with pytest.raises(RuntimeError, match=r"model\.compile"):
            compare({"a": keras.Sequential([keras.Input((2,))])}, None, data(8), **SWEEP)


@pytest.mark.filterwarnings("ignore:.*Ftrl.*makes the weights anew:UserWarning")
def test_rates_above_where_the_sweep_ended_may_be_tried():
    """A sweep breaks down by what it did before; a training that begins at such a rate need not."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2048, 64)).astype("float32")
    y = (x @ rng.normal(size=(64, 10))).argmax(axis=1)
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, activation="softmax")])
    model.compile(keras.optimizers.Ftrl(), "sparse_categorical_crossentropy")
    sweep = {"num_steps": 200, "batch_size": 64, "verify": 1200, "verbose": 0}
    curve = LearningRateFinder(model).find((x, y), 1e-8, 100.0, **sweep)
    assert curve.stop_reason == "diverged"
    assert curve.lrs[-1] < 1e-3 < 1e-2 < curve.suggest("verified").max_lr <= 100.0
