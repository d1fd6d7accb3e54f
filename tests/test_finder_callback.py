"""`LRFinder` as a guest in the user's own `fit`."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from models import data, logs_of_step, model, needs_multi_optimizer, state

from pyimagesearch_lr.finder import LearningRateFinder, LRFinder


def dataset(x, y, size=16):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(size)


def variables(network):
    return state(network)["variables"]


class TestLRFinder:
    @pytest.mark.parametrize("steps_per_execution", [1, 2])
    def test_gives_the_same_curve_as_learning_rate_finder(self, steps_per_execution):
        batches = dataset(*data(64))
        lr_finder = LRFinder(start_lr=1e-5, end_lr=1.0)
        network = model(steps_per_execution=steps_per_execution)
        network.fit(batches, epochs=3, callbacks=[lr_finder], verbose=0, shuffle=False)
        curve = LearningRateFinder(model()).find(batches, 1e-5, 1.0, epochs=3, verbose=0)
        assert lr_finder.lrs == curve.lrs.tolist()
        np.testing.assert_allclose(lr_finder.curve.raw_losses, curve.raw_losses, rtol=2e-6)
        np.testing.assert_allclose(lr_finder.losses, curve.losses, rtol=2e-6)

    def test_puts_everything_back_when_fit_ends_and_returns_its_history(self):
        x, y = data(70)
        network = model(keras.optimizers.Adam(0.01, use_ema=True))
        network.fit(x, y, verbose=0)
        before, function = variables(network), network.train_function
        history = network.fit(x, y, epochs=2, batch_size=16, callbacks=[LRFinder(1e-5, 1.0)], verbose=0)
        assert list(history.history) == ["accuracy", "loss"]
        assert network.train_function is function
        assert network.stop_training is False
        for expected, got in zip(before, variables(network), strict=True):
            np.testing.assert_array_equal(got, expected)

    @pytest.mark.parametrize("build", [True, False])
    def test_training_afterwards_equals_training_without_it(self, build):
        batches = dataset(*data(64))

        def trained(sweep):
            network = model(build=build)
            if sweep:
                network.fit(batches, epochs=3, callbacks=[LRFinder(1e-5, 1.0)], verbose=0, shuffle=False)
            network.fit(batches, epochs=2, verbose=0, shuffle=False)
            return variables(network)

        for expected, got in zip(trained(False), trained(True), strict=True):
            np.testing.assert_array_equal(got, expected)

    def test_restore_false_keeps_the_trained_weights_and_gives_the_rate_back(self):
        x, y = data(64)
        network = model(keras.optimizers.SGD(0.125))
        before = network.get_weights()
        network.fit(x, y, callbacks=[LRFinder(1e-3, 1e-2, restore=False)], verbose=0)
        assert any(np.abs(a - b).max() > 1e-6 for a, b in zip(before, network.get_weights(), strict=True))
        assert float(network.optimizer.learning_rate) == 0.125

    def test_stops_fit_after_num_steps_in_mid_epoch(self):
        seen = []
        count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
        network = model()
        lr_finder = LRFinder(1e-5, 1e-2, num_steps=3)
        network.fit(dataset(*data(160)), epochs=5, callbacks=[lr_finder, count], verbose=0, shuffle=False)
        assert len(seen) == 3
        assert lr_finder.curve.stop_reason == "end_lr"
        assert lr_finder.lrs == pytest.approx([1e-5, 10**-3.5, 1e-2])

    def test_fit_that_ends_before_the_sweep_leaves_it_exhausted(self):
        lr_finder = LRFinder(1e-5, 1e-2, num_steps=50)
        model().fit(dataset(*data(64)), epochs=2, callbacks=[lr_finder], verbose=0, shuffle=False)
        assert lr_finder.curve.stop_reason == "exhausted"
        assert len(lr_finder.curve) == 8

    def test_fit_of_unknown_length_asks_for_num_steps(self):
        batches = dataset(*data(64)).filter(lambda *_: True)
        network = model()
        before = variables(network)
        with pytest.raises(ValueError, match=r"length of this `fit` is unknown.*`num_steps`"):
            network.fit(batches, callbacks=[LRFinder()], verbose=0, shuffle=False)
        for expected, got in zip(before, variables(network), strict=True):
            np.testing.assert_array_equal(got, expected)

    def test_exception_in_the_data_of_the_users_fit_restores(self):
        x, y = data(64)

        def broken(index):
            if index == 5:
                raise OSError("the disk is gone")
            return x[index * 8 : index * 8 + 8], y[index * 8 : index * 8 + 8]

        class Broken(keras.utils.PyDataset):
            def __len__(self):
                return 8

            def __getitem__(self, index):
                return broken(index)

        network = model(keras.optimizers.Adam(0.01))
        network.fit(x, y, verbose=0)
        before = variables(network)
        lr_finder = LRFinder(1e-3, 1.0)
        with pytest.raises(Exception, match="the disk is gone"):
            network.fit(Broken(), epochs=2, callbacks=[lr_finder], verbose=0, shuffle=False)
        for expected, got in zip(before, variables(network), strict=True):
            np.testing.assert_array_equal(got, expected)

    def test_close_restores_after_another_callback_has_raised(self):
        x, y = data(64)
        network = model()
        network.fit(x, y, verbose=0)
        before, holder_rate = state(network), network.optimizer._learning_rate
        lr_finder = LRFinder(1e-3, 1.0)
        raising = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            network.fit(x, y, epochs=3, callbacks=[lr_finder, raising], verbose=0)
        lr_finder.close()
        lr_finder.close()
        for expected, got in zip(before["variables"], variables(network), strict=True):
            np.testing.assert_array_equal(got, expected)
        assert network.optimizer._learning_rate is holder_rate
        assert lr_finder.curve.stop_reason == "interrupted"

    def test_a_sweep_that_was_left_open_is_put_back_when_the_next_one_begins(self):
        x, y = data(64)
        network = model()
        network.fit(x, y, verbose=0)
        before = variables(network)
        lr_finder = LRFinder(1e-3, 1.0)
        raising = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            network.fit(x, y, epochs=3, callbacks=[lr_finder, raising], verbose=0)
        network.fit(x, y, epochs=3, callbacks=[lr_finder], verbose=0)
        assert len(lr_finder.curve) == 6
        for expected, got in zip(before, variables(network), strict=True):
            np.testing.assert_array_equal(got, expected)

    def test_monitor_takes_another_key_of_the_logs(self):
        lr_finder = LRFinder(1e-5, 1e-2, monitor="accuracy", stop_factor=None)
        model().fit(dataset(*data(64)), epochs=2, callbacks=[lr_finder], verbose=0, shuffle=False)
        assert set(lr_finder.curve.metrics) == {"loss"}
        assert ((lr_finder.curve.raw_losses >= 0) & (lr_finder.curve.raw_losses <= 1)).all()

    def test_unknown_monitor_names_what_there_is(self):
        network = model()
        network.fit(*data(64), verbose=0)
        before = variables(network)
        with pytest.raises(ValueError, match=r"no 'g_loss'.*\['accuracy', 'loss'\].*`monitor`"):
            network.fit(*data(64), callbacks=[LRFinder(monitor="g_loss")], verbose=0, epochs=2)
        for expected, got in zip(before, variables(network), strict=True):
            np.testing.assert_array_equal(got, expected)

    def test_plot_before_fit_says_so_and_after_it_draws(self):
        lr_finder = LRFinder(1e-5, 1.0)
        assert lr_finder.curve is None
        assert lr_finder.lrs == lr_finder.losses == []
        with pytest.raises(RuntimeError, match="Give this callback to `fit` first"):
            lr_finder.plot()
        model().fit(*data(64), epochs=4, callbacks=[lr_finder], verbose=0)
        assert lr_finder.plot().get_xscale() == "log"

    @pytest.mark.parametrize(
        "arguments, message",
        [
            ({"start_lr": 1.0, "end_lr": 0.5}, "`end_lr` must be greater"),
            ({"num_steps": 1}, "at least 2 steps"),
            ({"stop_factor": 1.0}, "`stop_factor` must be greater than 1"),
            ({"beta": -0.1}, "`beta` must be"),
            ({"ramp": "cubic"}, "`ramp` must be one of"),
        ],
    )
    def test_bad_arguments_are_refused_before_fit(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            LRFinder(**arguments)

    def test_early_stopping_that_would_undo_the_restoring_is_refused(self):
        early = keras.callbacks.EarlyStopping("loss", restore_best_weights=True)
        with pytest.raises(RuntimeError, match=r"after `LearningRateFinder`.*Leave it out of `callbacks`\."):
            LearningRateFinder(model()).find(data(64), 1e-5, 1.0, num_steps=8, verbose=0, callbacks=[early])
        network = model()
        network.fit(*data(64), verbose=0)
        before = variables(network)
        with pytest.raises(RuntimeError, match="Name `LRFinder` last"):
            network.fit(*data(64), callbacks=[LRFinder(1e-5, 1.0), early], verbose=0)
        network.fit(*data(64), epochs=3, callbacks=[early, LRFinder(1e-5, 1.0)], verbose=0)
        for expected, got in zip(before, variables(network), strict=True):
            np.testing.assert_array_equal(got, expected)

    def test_progress_bar_shows_rate_and_loss(self, capsys):
        LearningRateFinder(model()).find(data(64), 1e-5, 1.0, epochs=2, verbose=1)
        shown = capsys.readouterr().out
        assert "4/4" in shown
        assert "lr:" in shown
        assert "loss:" in shown


class Sum(keras.layers.Layer):
    """The sum of two weights, whatever the input: with the loss |100 - sum|, both gradients are -1."""

    def build(self, input_shape):
        self.first = self.add_weight(shape=(), initializer="zeros", name="first")
        self.second = self.add_weight(shape=(), initializer="zeros", name="second")

    def call(self, x):
        return 0 * x + self.first + self.second


@needs_multi_optimizer
class TestSeveralOptimizers:
    @staticmethod
    def network(**rates):
        parts = {name: keras.optimizers.SGD(rate) for name, rate in rates.items()}
        several = keras.optimizers.MultiOptimizer(lambda variable: parts[variable.path.split("/")[-1]])
        network = keras.Sequential([keras.Input((1,)), Sum()])
        network.compile(several, "mean_absolute_error")
        return network, parts

    def test_each_is_swept_over_its_own_range_in_the_ratio_that_they_have(self):
        network, parts = self.network(first=0.5, second=0.05)
        x, y = np.ones((5, 1)), np.full((5, 1), 100.0)
        finder = LearningRateFinder(network)
        curve = finder.find((x, y), 1.0, 16.0, epochs=1, batch_size=1, verbose=0)
        np.testing.assert_allclose(curve.raw_losses, 100 - 1.1 * np.array([0, 1, 3, 7, 15]), rtol=1e-6)
        assert float(parts["first"].learning_rate) == 0.5
        assert network.get_weights() == [0.0, 0.0]
        parts["second"].learning_rate = 1.0  # now the first has half the rate of the second
        curve = finder.find((x, y), 1.0, 16.0, epochs=1, batch_size=1, verbose=0)
        np.testing.assert_allclose(curve.raw_losses, 100 - 1.5 * np.array([0, 1, 3, 7, 15]), rtol=1e-6)

    def test_part_without_variables_plays_no_part(self):
        parts = {"first": keras.optimizers.SGD(0.5), "second": keras.optimizers.SGD(0.5)}
        unused = keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10))
        network, _ = self.network(first=0.5, second=0.5)
        by_path = {f".*{name}": part for name, part in parts.items()}
        several = keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(unused, by_path))
        network.compile(several, "mean_absolute_error")
        x, y = np.ones((5, 1)), np.full((5, 1), 100.0)
        curve = LearningRateFinder(network).find((x, y), 1.0, 16.0, epochs=1, batch_size=1, verbose=0)
        np.testing.assert_allclose(curve.raw_losses, 100 - 2 * np.array([0, 1, 3, 7, 15]), rtol=1e-6)

    def test_part_with_a_schedule_is_refused_with_the_reason(self):
        network, _ = self.network(first=0.5, second=keras.optimizers.schedules.CosineDecay(0.1, 10))
        with pytest.raises(RuntimeError, match=r"`SGD` is set by `CosineDecay`\. Give each of them a float"):
            network.fit(np.ones((4, 1)), np.ones((4, 1)), callbacks=[LRFinder(num_steps=4)], verbose=0)

    def test_model_without_variables_is_refused_with_what_to_do(self):
        several = keras.optimizers.MultiOptimizer(lambda variable: keras.optimizers.SGD(0.1))
        network = keras.Sequential([keras.layers.Dense(1)])
        network.compile(several, "mse")
        with pytest.raises(RuntimeError, match=r"Call `model.build\(input_shape\)`"):
            LearningRateFinder(network).find(data(16), 1e-5, 1.0, epochs=4, verbose=0)


class TestIndependent:
    """`independent=True`: every rate begins with the same state."""

    def test_is_what_each_rate_does_by_itself(self):
        x, y = data(64)
        held_out = data(30, seed=5)
        network = model(keras.optimizers.SGD(0.1, momentum=0.9))
        network.fit(x, y, verbose=0)
        before = state(network)
        batches = dataset(x, y).take(1).repeat(6)
        finder = LearningRateFinder(network, stop_factor=None, steps_per_lr=2, independent=True)
        curve = finder.find(batches, 1e-3, 10.0, epochs=1, validation_data=held_out, verbose=0)
        for expected, got in zip(before["variables"], variables(network), strict=True):
            np.testing.assert_array_equal(got, expected)
        oracle, training = [], []
        for rate in (1e-3, 1e-1, 10.0):
            reference = model(keras.optimizers.SGD(0.1, momentum=0.9))
            reference.fit(x, y, verbose=0)
            reference.optimizer.learning_rate = rate
            losses = [logs_of_step(reference, x[:16], y[:16])["loss"] for _ in range(2)]
            training.append(np.mean(losses))
            oracle.append(reference.evaluate(*held_out, verbose=0, return_dict=True)["loss"])
        np.testing.assert_allclose(curve.raw_losses, oracle, rtol=1e-5)
        np.testing.assert_allclose(curve.metrics["train_loss"], training, rtol=1e-5)

    def test_training_loss_of_several_steps(self):
        x, y = data(16)
        network = model(dropout=0)
        sweep = {"start_lr": 1e-5, "end_lr": 1e-4, "epochs": 12, "batch_size": 16, "verbose": 0}
        finder = LearningRateFinder(network, stop_factor=None, steps_per_lr=3, independent=True)
        curve = finder.find((x, y), **sweep)
        assert len(curve) == 4
        assert np.all(
            np.diff(curve.raw_losses) < 0
        )  # each falls from the same loss, the more the higher the rate
        usual = LearningRateFinder(network, stop_factor=None, steps_per_lr=3).find((x, y), **sweep)
        assert usual.raw_losses[0] == pytest.approx(curve.raw_losses[0], rel=1e-6)
        assert usual.raw_losses[-1] < curve.raw_losses[-1]

    @pytest.mark.parametrize(
        "arguments, message",
        [
            ({}, "Pass `steps_per_lr` above 1 or `validation_data`"),
            ({"steps_per_lr": 2, "restore": False}, "needs `restore=True`"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, arguments, message):
        with (
            pytest.raises(ValueError, match=message),
            pytest.warns(DeprecationWarning, match="`independent`"),
        ):
            LRFinder(independent=True, **arguments)

    def test_execution_across_two_rates_is_refused_and_leaves_no_trace(self):
        network = model(steps_per_execution=2)
        network.fit(*data(64), verbose=0)
        before = variables(network)
        with pytest.warns(DeprecationWarning, match="`independent`"):
            lr_finder = LRFinder(1e-3, 0.3, 20, independent=True, steps_per_lr=2)
        with pytest.raises(ValueError, match="does not divide the batches of a pass"):
            network.fit(dataset(*data(72)), epochs=8, callbacks=[lr_finder], verbose=0, shuffle=False)
        for expected, got in zip(before, variables(network), strict=True):
            np.testing.assert_array_equal(got, expected)

    def test_executions_longer_than_a_rate_are_refused(self):
        network = model(steps_per_execution=2)
        lr_finder = LRFinder(steps_per_lr=3, num_steps=9, validation_data=data(16))
        with pytest.raises(ValueError, match="`steps_per_execution` must divide `steps_per_lr`"):
            network.fit(*data(64), callbacks=[lr_finder], verbose=0)
