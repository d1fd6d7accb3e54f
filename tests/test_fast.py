"""The accelerator: each row of its table gives the plain recorder's curve, to the bit."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from pyimagesearch_lr import LearningRateFinder, LRFinder, _fast, recording

RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 5)).astype("float32")
Y = (X @ RNG.normal(size=(5, 2))).astype("float32")


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        return X[8 * index : 8 * index + 8], Y[8 * index : 8 * index + 8]


def generator():
    for index in itertools.count():
        yield X[8 * (index % 6) : 8 * (index % 6) + 8], Y[8 * (index % 6) : 8 * (index % 6) + 8]


DATA = {
    "arrays": lambda: (X, Y),
    "tf.data": lambda: tf.data.Dataset.from_tensor_slices((X, Y)).batch(8),
    "PyDataset": Batches,
    "generator": generator,
}
OPTIMIZERS = {
    "number": lambda: keras.optimizers.Adam(0.1),
    "schedule": lambda: keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 9), momentum=0.9),
}
if hasattr(keras.optimizers, "MultiOptimizer"):

    def several():
        kernels, others = keras.optimizers.Adam(0.1), keras.optimizers.SGD(0.01)
        return keras.optimizers.MultiOptimizer(
            lambda variable: kernels if "kernel" in variable.path else others
        )

    OPTIMIZERS["several"] = several


class OwnStep(keras.Sequential):
    def train_step(self, batch):
        return {**super().train_step(batch), "twice": 2 * self.get_metrics_result()["loss"]}


class CompiledStep(keras.Sequential):
    @tf.function
    def train_step(self, batch):
        return super().train_step(batch)


class OwnTrainFunction(keras.Sequential):
    def make_train_function(self, force=False):
        self.train_function = lambda iterator: self.train_step(next(iterator))


class OwnFit(keras.Sequential):
    def fit(self, *args, **kwargs):
        return super().fit(*args, **kwargs)


MODELS = {
    "Keras's train step": (keras.Sequential, {}),
    "its own train step": (OwnStep, {}),
    "eager": (keras.Sequential, {"run_eagerly": True}),
    "a train step that is a tf.function": (CompiledStep, {}),
    "its own train function": (OwnTrainFunction, {}),
    "its own fit": (OwnFit, {}),
}


def made(model, optimizer):
    keras.utils.set_random_seed(1)
    kind, options = MODELS[model]
    layers = [keras.layers.Dense(4, "relu"), keras.layers.Dropout(0.3), keras.layers.Dense(2)]
    network = kind([keras.Input((5,)), *layers])
    network.compile(OPTIMIZERS[optimizer](), "mse", metrics=["mae"], **options)
    network.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    return network


def swept(data, optimizer, model):
    network = made(model, optimizer)
    tf.random.set_seed(5)
    np.random.seed(5)
    finder = LearningRateFinder(network, stop_factor=None)
    return finder.find(DATA[data](), 1e-4, 1.0, num_steps=9, batch_size=8, verbose=0)


def rows():
    """Every kind of data, of optimizer and of model, each with the usual ones of the others."""
    usual = ("tf.data", "number", "Keras's train step")
    for place, kinds in enumerate((DATA, OPTIMIZERS, MODELS)):
        for kind in kinds:
            yield (*usual[:place], kind, *usual[place + 1 :])


@pytest.mark.parametrize("row", list(dict.fromkeys(rows())), ids=", ".join)
@pytest.mark.filterwarnings("ignore:`train_data` is a generator")
def test_row_is_served_as_the_table_says_and_equals_the_plain_recorder_to_the_bit(row, monkeypatch):
    served, steps_recorder = [], recording.steps_recorder

    def noted(*args, **kwargs):
        recorder = steps_recorder(*args, **kwargs)
        served.append(recorder.name)
        return recorder

    monkeypatch.setattr(recording, "steps_recorder", noted)
    curve = swept(*row)
    table = [_fast.SERVED[part][kind] for part, kind in zip(("data", "optimizer", "model"), row, strict=True)]
    assert served == [_fast.PLAIN if _fast.PLAIN in table else _fast.FAST]
    monkeypatch.setattr(recording, "fast_recorder_for", lambda *args: None)
    plain = swept(*row)
    assert served[-1] == "plain"
    np.testing.assert_array_equal(curve.raw_losses, plain.raw_losses)
    assert list(curve.metrics) == list(plain.metrics)
    for name, values in curve.metrics.items():
        np.testing.assert_array_equal(values, plain.metrics[name])


def test_every_row_of_the_table_is_tried():
    assert set(DATA) | {"any"} == set(_fast.SERVED["data"])
    assert {*OPTIMIZERS, "several"} == set(_fast.SERVED["optimizer"])
    assert set(MODELS) | {"on several devices"} == set(_fast.SERVED["model"])  # that: tests/mirrored.py


def test_executions_of_several_steps_in_a_users_fit_need_it(monkeypatch):
    def swept_by_callback():
        network = made("Keras's train step", "number")
        network.compile(keras.optimizers.SGD(0.1), "mse", steps_per_execution=3)
        lr_finder = LRFinder(1e-4, 1e-1, stop_factor=None)
        network.fit(X, Y, batch_size=8, epochs=2, shuffle=False, callbacks=[lr_finder], verbose=0)
        return lr_finder.curve

    assert len(swept_by_callback()) == 12
    monkeypatch.setattr(recording, "fast_recorder_for", lambda *args: None)
    with pytest.raises(RuntimeError, match="Compile the model with `steps_per_execution=1`"):
        swept_by_callback()


def test_a_saved_model_has_the_rate_that_is_used(tmp_path):
    network = made("Keras's train step", "schedule")
    path = tmp_path / "model.keras"
    saving = keras.callbacks.ModelCheckpoint(path, save_freq=1)
    lr_finder = LRFinder(1e-4, 1e-1, stop_factor=None)
    network.fit(X, Y, batch_size=16, shuffle=False, callbacks=[lr_finder, saving], verbose=0)
    loaded = keras.models.load_model(path)
    assert float(loaded.optimizer.learning_rate) == pytest.approx(lr_finder.lrs[-1], rel=1e-5)
