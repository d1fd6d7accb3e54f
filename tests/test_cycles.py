"""`CyclicLR` and `OneCycleLR` as guests in the user's own `fit`."""

import copy
import csv
import inspect
import json
import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from models import assert_same_state, data, model, needs_multi_optimizer, state
from one_weight import fit_one_weight, one_weight

from pyimagesearch_lr import MidCycleWarning
from pyimagesearch_lr.cycles import CyclicalLearningRate, CyclicLR, OneCycleLearningRate, OneCycleLR
from pyimagesearch_lr.finder import LearningRateFinder, LRFinder


def rates_of_fit(clr, steps, epochs=1, network=None, **fit_kwargs):
    """The rates the optimizer really had, read from the optimizer inside `fit`."""
    network = model(keras.optimizers.SGD(7.0)) if network is None else network
    seen = []
    spy = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(float(network.optimizer.learning_rate))
    )
    x, y = data(4 * steps)
    network.fit(x, y, batch_size=4, epochs=epochs, callbacks=[clr, spy], verbose=0, **fit_kwargs)
    return seen


def fitted_model(steps):
    """A model that was trained for so many steps."""
    network = model(keras.optimizers.SGD(7.0))
    x, y = data(4 * steps)
    network.fit(x, y, batch_size=4, verbose=0)
    return network


@pytest.mark.filterwarnings("ignore::pyimagesearch_lr.MidCycleWarning")
class TestCyclicLR:
    def test_triangular_goes_up_and_down_in_straight_lines(self):
        clr = CyclicLR(base_lr=0.01, max_lr=0.05, step_size=4)
        up = np.linspace(0.01, 0.05, 5)
        expected = [*up[:-1], *up[:0:-1], *up[:-1], *up[:0:-1], 0.01]
        np.testing.assert_allclose(rates_of_fit(clr, 17), expected, rtol=1e-6)
        np.testing.assert_allclose(clr.history["lr"], expected, rtol=1e-12)

    def test_triangular2_halves_the_height_of_every_cycle(self):
        rates = rates_of_fit(CyclicLR(0.01, 0.05, 2, mode="triangular2"), 12)
        np.testing.assert_allclose(
            rates, [0.01, 0.03, 0.05, 0.03, 0.01, 0.02, 0.03, 0.02, 0.01, 0.015, 0.02, 0.015], rtol=1e-6
        )

    def test_exp_range_shrinks_the_height_by_gamma_a_step(self):
        rates = rates_of_fit(CyclicLR(0.0, 1.0, 2, mode="exp_range", gamma=0.5), 5)
        np.testing.assert_allclose(rates, [0.0, 0.5 * 0.5, 1.0 * 0.25, 0.5 * 0.125, 0.0], rtol=1e-6)

    def test_scale_fn_of_the_cycle_and_of_the_step(self):
        thirds = rates_of_fit(CyclicLR(0.0, 9.0, 1, scale_fn=lambda cycle: 3.0 ** (1 - cycle)), 6)
        np.testing.assert_allclose(thirds, [0, 9, 0, 3, 0, 1], rtol=1e-6)
        growing = CyclicLR(0.0, 1.0, 1, scale_fn=lambda step: step, scale_mode="iterations")
        np.testing.assert_allclose(rates_of_fit(growing, 6), [0, 1, 0, 3, 0, 5], rtol=1e-6)

    def test_asymmetric_cycle_that_shrinks(self):
        rates = rates_of_fit(CyclicLR(1.0, 5.0, 1, step_size_down=4, cycle_decay=0.5), 11)
        np.testing.assert_allclose(rates, [1, 5, 4, 3, 2, 1, 3, 2.5, 2, 1.5, 1], rtol=1e-6)

    def test_goes_on_in_mid_cycle_in_the_next_fit_and_after_a_restart(self, tmp_path):
        whole = rates_of_fit(CyclicLR(0.01, 0.05, 4), 10)
        network = model(keras.optimizers.SGD(7.0))
        first = rates_of_fit(CyclicLR(0.01, 0.05, 4), 3, network=network)
        network.save(tmp_path / "half.keras")
        second = rates_of_fit(
            CyclicLR(0.01, 0.05, 4), 7, network=keras.models.load_model(tmp_path / "half.keras")
        )
        assert first + second == whole

    def test_history_has_an_item_a_step_and_the_epoch_logs_have_the_rate(self):
        clr = CyclicLR(0.01, 0.05, 4)
        network = model(keras.optimizers.SGD(7.0))
        x, y = data(12)
        history = network.fit(x, y, batch_size=4, epochs=2, callbacks=[clr], verbose=0).history
        assert clr.history["iterations"] == [1, 2, 3, 4, 5, 6]
        assert {len(values) for values in clr.history.values()} == {6}
        np.testing.assert_allclose(history["learning_rate"], [0.03, 0.04], rtol=1e-6)

    def test_inside_loss_scaling(self):
        optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(7.0), initial_scale=2.0)
        rates = rates_of_fit(CyclicLR(0.01, 0.05, 2), 4, network=model(optimizer))
        np.testing.assert_allclose(rates, [0.01, 0.03, 0.05, 0.03], rtol=1e-6)

    def test_refuses_an_optimizer_whose_rate_is_a_schedule(self):
        schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
        with pytest.raises(
            RuntimeError, match=r"`CyclicLR` and the optimizer's `ExponentialDecay`.*float `learn"
        ):
            rates_of_fit(CyclicLR(), 2, network=model(keras.optimizers.SGD(schedule)))

    @pytest.mark.parametrize(
        "arguments, message",
        [
            ({"base_lr": 0.1, "max_lr": 0.1}, "`base_lr` must be at least 0 and less than `max_lr`.*0.1"),
            ({"base_lr": -0.1}, "`base_lr` must be a finite number of at least 0.*-0.1"),
            ({"base_lr": float("nan")}, "`base_lr` must be a finite number of at least 0.*nan"),
            ({"max_lr": float("inf")}, "`max_lr` must be a finite number above 0.*inf"),
            ({"max_lr": 1e39}, "`max_lr` must be a finite number above 0 in the range of float32"),
            ({"step_size": 0}, "`step_size` must be above 0.*0"),
            ({"step_size": float("nan")}, "`step_size` must be a finite number of at least 0.*nan"),
            ({"step_size": float("inf")}, "`step_size` must be a finite number of at least 0.*inf"),
            ({"mode": "square"}, "`mode` must be one of.*triangular2.*'square'"),
            ({"gamma": float("nan")}, "`gamma` must be above 0 and at most 1.*nan"),
            ({"gamma": 0}, "`gamma` must be above 0 and at most 1.*0"),
            ({"gamma": 1.01}, "`gamma` must be above 0 and at most 1.*1.01"),
            ({"scale_mode": "epochs"}, "`scale_mode` must be one of.*'epochs'"),
            ({"step_size_down": 0}, "`step_size_down` must be a finite number above 0.*0"),
            ({"cycle_decay": 0}, "`cycle_decay` must be above 0 and at most 1.*0"),
            ({"cycle_decay": 1.5}, "`cycle_decay` must be above 0 and at most 1.*1.5"),
            ({"cycle_mult": 0.5}, "`cycle_mult` must be a finite number of at least 1.*0.5"),
            ({"cycle_mult": float("inf")}, "`cycle_mult` must be a finite number of at least 1.*inf"),
            ({"anneal": "sine"}, "`anneal` must be one of.*'sine'"),
            ({"warmup_steps": -1}, "`warmup_steps` must be a whole number of at least 0.*-1"),
            ({"warmup_steps": 0.5}, "`warmup_steps` must be a whole number of at least 0.*0.5"),
            ({"warmup_steps": 5, "base_lr": 0}, "a warm-up rises to the first rate.*base_lr=0.0"),
            ({"momentum": (0.95, 0.85)}, "`momentum` must be a pair.*lowest and highest"),
            ({"momentum": (0.9, 1.0)}, "`momentum` must be at least 0 and less than 1.*1.0"),
            ({"momentum": (0.9, 0.9, 0.9)}, "`momentum` must be a pair"),
            ({"start_step": 1.5}, "`start_step` must be a whole number.*1.5"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=f"`CyclicLR`: {message}"):
            CyclicLR(**arguments)


@pytest.mark.filterwarnings("ignore::pyimagesearch_lr.MidCycleWarning")
def test_a_sweep_between_two_fits_does_not_move_the_cycle():
    network = model(keras.optimizers.SGD(7.0))
    first = rates_of_fit(CyclicLR(0.01, 0.05, 4), 3, network=network)
    before = state(network)
    LearningRateFinder(network).find(data(64), 1e-5, 1.0, epochs=4, verbose=0)
    assert_same_state(before, state(network))
    second = rates_of_fit(CyclicLR(0.01, 0.05, 4), 4, network=network)
    np.testing.assert_allclose(first + second, [0.01, 0.02, 0.03, 0.04, 0.05, 0.04, 0.03], rtol=1e-6)


@pytest.mark.filterwarnings("ignore::pyimagesearch_lr.MidCycleWarning")
class TestWhereACycleBegins:
    def test_start_step_none_begins_anew_with_each_fit(self):
        network = model(keras.optimizers.SGD(7.0))
        clr = CyclicLR(1.0, 3.0, 2, start_step=None)
        assert rates_of_fit(clr, 3, network=network) == [1, 2, 3]
        assert rates_of_fit(clr, 3, network=network) == [1, 2, 3]

    def test_reset_leaves_start_step_none_as_it_is(self):
        network = model(keras.optimizers.SGD(7.0))
        clr = CyclicLR(1.0, 3.0, 2, start_step=None)
        rates_of_fit(clr, 3, network=network)
        clr.reset()
        for _ in range(2):
            assert rates_of_fit(clr, 3, network=network) == [1, 2, 3]

    def test_fit_that_goes_on_after_a_reset_is_in_the_new_cycle(self):
        network = model(keras.optimizers.SGD(7.0))
        clr = CyclicLR(1.0, 3.0, 2, start_step=None)
        reset = keras.callbacks.LambdaCallback(
            on_train_batch_begin=lambda batch, logs: clr.reset() if len(clr.history["lr"]) == 3 else None
        )
        x, y = data(8)
        clr.history["lr"] = []
        network.fit(x, y, batch_size=2, epochs=1, verbose=0, callbacks=[reset, clr])
        network.fit(x, y, batch_size=2, epochs=2, initial_epoch=1, verbose=0, callbacks=[clr])
        anew = clr.history["lr"].index(1.0, 1)
        expected = [1, 2, 3, 2, 1, 2, 3, 2]
        assert clr.history["lr"] == expected[:anew] + expected[: len(clr.history["lr"]) - anew]
        assert anew in (3, 4)

    def test_new_cycle_where_the_old_one_could_not_be_found_is_told(self):
        x, y = data(64)
        generator = ((x[:8], y[:8]) for _ in range(9))
        clr = OneCycleLR(0.1, total_steps=40)
        with pytest.warns(UserWarning) as told:
            model().fit(generator, epochs=4, initial_epoch=3, verbose=0, shuffle=False, callbacks=[clr])
        (said,) = [str(each.message) for each in told if "begins at epoch 3" in str(each.message)]
        assert "a new cycle begins" in said and "`start_step=0`" in said

    def test_start_step_in_mid_training(self):
        assert rates_of_fit(CyclicLR(1.0, 3.0, 2, start_step=2), 6) == [1, 1, 1, 2, 3, 2]

    def test_reset_between_two_fits_begins_a_cycle_in_the_new_range(self):
        network = model(keras.optimizers.SGD(7.0))
        clr = CyclicLR(1.0, 3.0, 2)
        rates_of_fit(clr, 3, network=network)
        clr.reset(base_lr=4.0, max_lr=8.0, step_size=4)
        assert rates_of_fit(clr, 5, network=network) == [4, 5, 6, 7, 8]
        assert rates_of_fit(clr, 3, network=network) == [7, 6, 5]
        after_restart = CyclicLR(4.0, 8.0, 4, start_step=clr.start_step)
        assert rates_of_fit(after_restart, 2, network=network) == [4, 5]

    def test_reset_in_the_midst_of_fit(self):
        clr = CyclicLR(1.0, 3.0, 2)
        resetting = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: clr.reset(max_lr=5.0) if batch == 2 else None
        )
        x, y = data(24)
        model().fit(x, y, batch_size=4, callbacks=[resetting, clr], verbose=0)
        assert clr.history["lr"] == [1, 2, 3, 1, 3, 5]

    def test_cycles_that_begin_late_after_a_reset_are_told(self):
        clr = CyclicLR(1.0, 3.0, 2)
        rates_of_fit(clr, 3)
        clr.reset()
        rates_of_fit(clr, 2, network=fitted_model(3))
        assert clr.start_step == 3
        with pytest.warns(UserWarning, match=r"begin at step 3 of the optimizer, and.*the first 3 steps"):
            assert rates_of_fit(clr, 5) == [1, 1, 1, 1, 2]

    def test_refused_reset_changes_nothing(self):
        clr = CyclicLR(1.0, 3.0, 2)
        with pytest.raises(ValueError, match="`base_lr` must be at least 0 and less than `max_lr`"):
            clr.reset(base_lr=4.0)
        assert rates_of_fit(clr, 3) == [1, 2, 3]

    def test_one_cycle_goes_on_at_the_initial_epoch_after_a_restart(self, tmp_path):
        arguments = {"max_lr": 1.0, "anneal": "linear"}
        whole = rates_of_fit(OneCycleLR(**arguments), 5, epochs=4)
        network = model(keras.optimizers.SGD(7.0))
        first = rates_of_fit(OneCycleLR(**arguments, total_steps=20), 5, epochs=2, network=network)
        network.save(tmp_path / "half.keras")
        loaded = keras.models.load_model(tmp_path / "half.keras")
        second = rates_of_fit(OneCycleLR(**arguments), 5, epochs=4, network=loaded, initial_epoch=2)
        assert first + second == whole

    def test_one_cycle_over_several_fits_from_a_start_step(self):
        network = model(keras.optimizers.SGD(7.0))
        clr = OneCycleLR(1.0, 6, 0.5, start_step=0, div_factor=4, final_div_factor=10, anneal="linear")
        rates = rates_of_fit(clr, 4, network=network) + rates_of_fit(clr, 4, network=network)
        np.testing.assert_allclose(rates, [0.25, 0.625, 1, 0.675, 0.35, 0.025, 0.025, 0.025], rtol=1e-6)

    def test_each_fit_is_a_one_cycle_also_of_a_trained_optimizer(self):
        network = model(keras.optimizers.SGD(7.0))
        first = rates_of_fit(OneCycleLR(1.0), 10, network=network)
        assert rates_of_fit(OneCycleLR(1.0), 10, network=network) == first
        assert max(first) == first[2] == 1.0
        assert first[-1] == pytest.approx(1 / 25e4)


class TestOneCycleLR:
    def test_takes_its_steps_from_fit(self):
        clr = OneCycleLR(1.0, pct_start=0.5, div_factor=4, final_div_factor=10, anneal="linear")
        rates = rates_of_fit(clr, 3, epochs=2)
        np.testing.assert_allclose(rates, [0.25, 0.625, 1, 0.675, 0.35, 0.025], rtol=1e-6)

    @pytest.mark.filterwarnings("ignore:Your input ran out of data")
    def test_fit_of_unknown_length_asks_for_total_steps(self):
        batches = tf.data.Dataset.from_tensor_slices(data(64)).batch(16).filter(lambda *_: True)
        with pytest.raises(ValueError, match=r"length of this `fit` is unknown.*`total_steps`"):
            model().fit(batches, callbacks=[OneCycleLR(1.0)], verbose=0, shuffle=False)
        network = model()
        clr = OneCycleLR(1.0, total_steps=4)
        network.fit(batches, callbacks=[clr], verbose=0, shuffle=False)
        assert clr.history["lr"] == clr.preview(4).tolist()

    @pytest.mark.parametrize(
        "arguments, message",
        [
            ({"max_lr": 0}, "`max_lr` must be a finite number above 0.*0"),
            ({"div_factor": -1}, "`div_factor` must be a finite number above 0"),
            ({"div_factor": float("inf")}, "`div_factor` must be a finite number above 0"),
            ({"final_div_factor": float("nan")}, "`final_div_factor` must be a number above 0, or infinite"),
            ({"div_factor": 1e-45}, r"`max_lr / div_factor` must be at most 3\.4e\+38"),
            ({"total_steps": float("nan")}, "`total_steps` must be a whole number"),
            (
                {"total_steps": 10, "warmup_steps": 9},
                "`total_steps` must leave at least 2 steps after the warm",
            ),
            ({"pct_start": 1.1}, "`pct_start` must be between 0 and 1.*1.1"),
            (
                {"pct_start": 0.6, "three_phase": True},
                "`pct_start` must be between 0 and 0.5 with `three_phase`.*0.6",
            ),
            ({"total_steps": 1}, "`total_steps` must leave at least 2 steps.*total_steps=1"),
            ({"total_steps": 10.5}, "`total_steps` must be a whole number"),
            ({"flat_start": 1.0}, "`flat_start` must be at least 0 and less than 1"),
            ({"anneal": "exp"}, "`anneal` must be one of.*'exp'"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=f"`OneCycleLR`: {message}"):
            OneCycleLR(**{"max_lr": 0.1, **arguments})


class TestPreview:
    def test_gives_the_rates_of_fit_without_training(self):
        clr = CyclicLR(1.0, 3.0, 2, mode="triangular2")
        assert clr.preview(8).tolist() == [1, 2, 3, 2, 1, 1.5, 2, 1.5]
        assert clr.history == {}
        assert rates_of_fit(clr, 8) == clr.preview(8).tolist()

    @pytest.mark.parametrize("mode", ["cycle", "iterations"])
    def test_of_a_function_of_one_number_is_what_is_trained_with(self, mode):
        clr = CyclicLR(1.0, 3.0, 2, scale_fn=lambda each: 0.5 if each > 1 else 1.0, scale_mode=mode)
        assert rates_of_fit(clr, 8) == clr.preview(8).tolist()

    def test_one_cycle_of_unknown_length_is_previewed_over_the_steps_asked_for(self):
        rates = OneCycleLR(1.0).preview(100)
        assert rates.shape == (100,)
        assert rates.argmax() == 29
        assert rates[-1] == rates.min() == pytest.approx(1 / 25e4)
        with pytest.raises(ValueError, match="Give it `total_steps`"):
            OneCycleLR(1.0).lr_at(3)

    @pytest.mark.parametrize("drawn", [CyclicLR(1.0, 3.0, 2), OneCycleLR(3.0), OneCycleLearningRate(3.0, 8)])
    def test_plot_draws_them_on_the_axes_given(self, drawn):
        import matplotlib.pyplot as plt

        ax = plt.figure().add_subplot()
        assert drawn.plot_preview(8, ax=ax, title="a title") is ax
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), drawn.preview(8))
        assert ax.get_title() == "a title"


class Board(keras.callbacks.TensorBoard):
    """Keras's TensorBoard with its scalars kept in a dict: the package that writes them need not be here."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.logged = {}

    @property
    def summary(self):
        return self

    def __getattr__(self, name):
        return getattr(tf.summary, name)

    def scalar(self, name, value, step):
        self.logged.setdefault(name, []).append(float(value))


class TestTheRateReaches:
    @pytest.mark.parametrize("before", [True, False])
    def test_history_and_csv_logger_by_epoch_wherever_they_stand(self, before, tmp_path):
        csv_logger = keras.callbacks.CSVLogger(str(tmp_path / "log.csv"))
        clr = CyclicLR(1.0, 3.0, 4)
        x, y = data(32)
        callbacks = [csv_logger, clr] if before else [clr, csv_logger]
        history = model().fit(x, y, batch_size=4, epochs=2, callbacks=callbacks, verbose=0).history
        # Each epoch is 8 steps, a whole cycle; its last step is one short of the bottom.
        assert history["learning_rate"] == [1.5, 1.5]
        with open(tmp_path / "log.csv", encoding="utf-8") as file:
            assert [float(row["learning_rate"]) for row in csv.DictReader(file)] == [1.5, 1.5]

    def test_tensorboard_by_epoch_and_where_asked_by_step(self, tmp_path):
        board = Board(str(tmp_path), write_graph=False, update_freq="batch")
        x, y = data(16)
        model().fit(x, y, batch_size=4, epochs=2, callbacks=[board, CyclicLR(1.0, 3.0, 2)], verbose=0)
        assert board.logged["batch_learning_rate"] == [1, 2, 3, 2, 1, 2, 3, 2]
        assert board.logged["epoch_learning_rate"] == [2, 2]

    def test_nothing_of_it_stays_in_the_epochs_own_logs_by_step(self):
        seen = []
        spy = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(dict(logs)))
        x, y = data(16)
        model().fit(x, y, batch_size=4, callbacks=[spy, CyclicLR(1.0, 3.0, 2)], verbose=0)
        assert [logs["learning_rate"] for logs in seen] == [1, 2, 3, 2]


class TestEndInMidCycle:
    def fit(self, clr, epochs, steps=4, **fit_kwargs):
        x, y = data(4 * steps)
        model().fit(x, y, batch_size=4, epochs=epochs, callbacks=[clr], verbose=0, **fit_kwargs)

    def test_names_the_two_nearest_numbers_of_epochs_before_the_first_step(self):
        clr = CyclicLR(1.0, 3.0, step_size=4)
        with pytest.warns(MidCycleWarning, match=r"`CyclicLR`: epochs=5 .*2\.5e\+00.* 4 or 6 epochs"):
            self.fit(clr, 5)

    def test_below_the_first_cycle_there_is_only_one_number(self):
        with pytest.warns(MidCycleWarning, match=r"epochs=1 .*\. 2 epochs would"):
            self.fit(CyclicLR(1.0, 3.0, step_size=4), 1)

    @pytest.mark.parametrize("arguments", [{}, {"step_size_down": 12}])
    def test_whole_cycles_are_silent(self, arguments):
        self.fit(CyclicLR(1.0, 3.0, step_size=4, **arguments), 4)

    def test_counts_from_where_this_fit_begins(self):
        clr = CyclicLR(1.0, 3.0, step_size=4)
        self.fit(clr, 4, initial_epoch=2)
        with pytest.warns(MidCycleWarning, match="epochs=4 .* 3 or 5 epochs"):
            self.fit(CyclicLR(1.0, 3.0, step_size=4, start_step=-4), 4)

    def test_growing_cycles_and_a_warm_up_end_later(self):
        self.fit(CyclicLR(1.0, 3.0, 4, cycle_mult=2), 6)
        self.fit(CyclicLR(1.0, 3.0, 4, cycle_mult=2, warmup_steps=4), 7)
        with pytest.warns(MidCycleWarning, match="epochs=4 .* 2 or 6 epochs"):
            self.fit(CyclicLR(1.0, 3.0, 4, cycle_mult=2), 4)
        with pytest.warns(MidCycleWarning, match="epochs=4 .* 3 or 5 epochs"):
            self.fit(CyclicLR(1.0, 3.0, 4, warmup_steps=4), 4)

    def test_one_cycle_longer_and_shorter_than_the_fit(self):
        self.fit(OneCycleLR(1.0), 3)
        self.fit(OneCycleLR(1.0, total_steps=12), 3)
        for epochs in (2, 5):
            with pytest.warns(MidCycleWarning, match=rf"`OneCycleLR`: epochs={epochs} .* 3 epochs would"):
                self.fit(OneCycleLR(1.0, total_steps=12), epochs)


class TestTwoDrivers:
    @pytest.mark.parametrize(
        "other",
        [
            keras.callbacks.LearningRateScheduler(lambda epoch, lr: lr),
            keras.callbacks.ReduceLROnPlateau(monitor="loss"),
            OneCycleLR(0.1),
            LRFinder(1e-5, 1.0),
        ],
        ids=lambda other: type(other).__name__,
    )
    @pytest.mark.parametrize("first", [True, False])
    def test_are_refused_by_name_and_nothing_is_left_behind(self, other, first):
        network = model()
        network.fit(*data(16), verbose=0)
        before = state(network)["variables"]
        clr = CyclicLR(0.01, 0.05, 2)
        callbacks = [clr, other] if first else [other, clr]
        with pytest.raises(
            RuntimeError, match=rf"CyclicLR.*{type(other).__name__}|{type(other).__name__}.*Cy"
        ):
            network.fit(*data(16), callbacks=callbacks, verbose=0)
        for expected, got in zip(before, state(network)["variables"], strict=True):
            np.testing.assert_array_equal(got, expected)

    def test_inside_find_as_well(self):
        network = model()
        network.fit(*data(16), verbose=0)
        before = state(network)
        with pytest.raises(
            RuntimeError, match="`LearningRateFinder` and `CyclicLR` both drive the learning rate"
        ):
            LearningRateFinder(network).find(data(64), 1e-5, 1.0, epochs=2, verbose=0, callbacks=[CyclicLR()])
        assert_same_state(before, state(network))

    def test_a_callback_of_the_users_own_can_say_that_it_drives(self):
        class Mine(keras.callbacks.Callback):
            drives_learning_rate = True

        with pytest.raises(RuntimeError, match="`CyclicLR` and `Mine` both drive"):
            model().fit(*data(16), callbacks=[CyclicLR(), Mine()], verbose=0)


@needs_multi_optimizer
class TestSeveralOptimizers:
    def network(self, first, second):
        kwargs = {"use_bias": False, "kernel_initializer": "zeros"}
        x = keras.Input((1,))
        names = ("first", "second")
        y = keras.layers.add([keras.layers.Dense(1, name=name, **kwargs)(x) for name in names])
        network = keras.Model(x, y)
        optimizers = [keras.optimizers.SGD(first), keras.optimizers.SGD(second)]
        by_layer = keras.optimizers.MultiOptimizer(lambda variable: optimizers["second" in variable.path])
        network.compile(by_layer, "mean_absolute_error")
        return network

    def test_each_group_of_variables_can_have_a_schedule_of_its_own(self):
        network = self.network(CyclicalLearningRate(1.0, 3.0, 2), OneCycleLearningRate(4.0, 4, 0.5))
        fit_one_weight(network, [])
        first, second = (weights.item() for weights in network.get_weights())
        assert first == 1 + 2 + 3 + 2
        assert second == pytest.approx(OneCycleLR(4.0, 4, 0.5).preview(4).sum(), rel=1e-6)

    def test_callback_says_that_it_cannot_set_their_rates(self):
        with pytest.raises(RuntimeError, match=r"sets one learning rate.*`CyclicalLearningRate`"):
            fit_one_weight(self.network(0.1, 0.2), [CyclicLR(1.0, 3.0, 2)])


class TestSteps:
    def test_are_batches_under_gradient_accumulation_as_in_a_schedule(self):
        def trained(learning_rate, callbacks):
            network = one_weight(keras.optimizers.SGD(learning_rate, gradient_accumulation_steps=2))
            return fit_one_weight(network, callbacks)

        clr = CyclicLR(1.0, 3.0, 2)
        # Of the rates 1, 2, 3, 2, those of the second and fourth batch are the ones of the two updates.
        assert trained(7.0, [clr]) == 2 + 2
        assert trained(CyclicalLearningRate(1.0, 3.0, 2), []) == 2 + 2
        assert clr.history["lr"] == [1, 2, 3, 2]
        assert clr.history["iterations"] == [1, 2, 3, 4]

    def test_share_the_rate_of_the_first_within_an_execution(self):
        clr = CyclicLR(1.0, 3.0, 2)
        network = one_weight(keras.optimizers.SGD(7.0), steps_per_execution=2)
        assert fit_one_weight(network, [clr]) == 1 + 1 + 3 + 3
        assert clr.history["lr"] == [1, 3]
        assert clr.history["iterations"] == [2, 4]


class TestConfig:
    @pytest.mark.parametrize(
        "made",
        [
            CyclicLR(
                1.0, 3.0, 2, "triangular2", step_size_down=3, cycle_decay=0.5, anneal="cos", start_step=7
            ),
            CyclicLR(1.0, 3.0, 2, momentum=(0.85, 0.95), start_step=None),
            OneCycleLR(1.0, 10, 0.4, 5.0, 6.0, "linear", three_phase=True, flat_start=0.1),
            OneCycleLearningRate(1.0, 10, 0.4, 5.0, 6.0, "linear", three_phase=True, flat_start=0.1),
        ],
        ids=lambda made: type(made).__name__,
    )
    def test_comes_back_from_json(self, made):
        again = type(made).from_config(json.loads(json.dumps(made.get_config())))
        assert json.dumps(again.get_config()) == json.dumps(made.get_config())
        np.testing.assert_array_equal(again.preview(40), made.preview(40))

    def test_of_an_unregistered_scale_fn_is_refused(self):
        with pytest.raises(
            ValueError, match=r"`CyclicLR`: its `scale_fn` cannot be saved.*register_keras_ser"
        ):
            CyclicLR(scale_fn=lambda cycle: 1 / cycle).get_config()


GUESTS = (
    (CyclicLR, {"base_lr": 0.1, "max_lr": 0.5, "step_size": 4}),
    (CyclicalLearningRate, {"base_lr": 0.1, "max_lr": 0.5, "step_size": 4}),
    (OneCycleLR, {"max_lr": 0.1, "total_steps": 20}),
    (OneCycleLearningRate, {"max_lr": 0.1, "total_steps": 20}),
)
STRINGS = ("mode", "scale_mode", "anneal", "name")
MAY_BE_NONE = ("scale_fn", "step_size_down", "momentum", "start_step")


def wrong_types():
    """Every argument of every guest with values that are not of its type."""
    for guest, arguments in GUESTS:
        for name in inspect.signature(guest).parameters:
            wrong = [["0.5", "0.5"], {}, object(), 1j]
            wrong += [1.0] if name in STRINGS else ["0.5"]
            wrong += [0] if name == "three_phase" else [True]
            wrong += [] if name in MAY_BE_NONE or (guest, name) == (OneCycleLR, "total_steps") else [None]
            for value in wrong:
                yield pytest.param(
                    guest, arguments, name, value, id=f"{guest.__name__}-{name}-{type(value).__name__}"
                )


class TestWrongTypes:
    @pytest.mark.parametrize("guest, arguments, name, value", list(wrong_types()))
    def test_of_any_argument_are_type_errors_that_name_it(self, guest, arguments, name, value):
        message = rf"`{guest.__name__}`: `{name}` must be"
        with pytest.raises((TypeError, ValueError), match=message) as caught:
            guest(**{**arguments, name: value})
        assert caught.type is TypeError

    @pytest.mark.parametrize(
        "method, arguments",
        [
            ("lr_at", {"step": "3"}),
            ("momentum_at", {"step": [3]}),
            ("preview", {"steps": "3"}),
            ("plot_preview", {"steps": None}),
            ("plot_preview", {"steps": 3, "title": 3}),
        ],
    )
    def test_of_a_methods_argument(self, method, arguments):
        name = list(arguments)[-1]
        with pytest.raises(TypeError, match=rf"`CyclicLR.{method}`: `{name}` must be"):
            getattr(CyclicLR(), method)(**arguments)

    def test_in_reset_change_nothing(self):
        clr = CyclicLR(1.0, 3.0, 2)
        with pytest.raises(TypeError, match="`CyclicLR`: `max_lr` must be a number"):
            clr.reset(base_lr=2.0, max_lr="4")
        assert (clr.base_lr, clr.max_lr) == (1, 3)


class TestSettings:
    def test_are_attributes_that_can_be_set_and_are_checked(self):
        clr = CyclicLR(1.0, 3.0, 2)
        clr.max_lr = 5
        assert clr.preview(3).tolist() == [1, 3, 5]
        with pytest.raises(ValueError, match="`CyclicLR`: `base_lr` must be at least 0 and less than"):
            clr.base_lr = 9.0
        assert clr.base_lr == 1

    def test_unknown_ones_are_attribute_errors(self):
        with pytest.raises(AttributeError, match="'CyclicLR' object has no attribute 'total_steps'"):
            _ = CyclicLR().total_steps

    @pytest.mark.parametrize("total", [tf.constant(8, "int64"), np.int64(8), np.array(8), 8.0])
    def test_may_be_tensors_and_numpys_numbers(self, total):
        assert OneCycleLR(1.0, total).get_config()["total_steps"] == 8
        clr = CyclicLR(np.float32(0.25), keras.ops.convert_to_tensor(0.5), total)
        json.dumps(clr.get_config())
        assert clr.preview(3).tolist() == [0.25, 0.28125, 0.3125]


def loop_of_ones_own(callback, steps=8, epochs=True, **params):
    """The rates of a loop around a CallbackList, read from the optimizer."""
    network = one_weight(keras.optimizers.SGD(7.0))
    network.optimizer.build(network.trainable_variables)
    rates = []
    callbacks = keras.callbacks.CallbackList([callback], model=network, **params)
    callbacks.on_train_begin()
    for step in range(steps):
        if epochs and step % 4 == 0:
            callbacks.on_epoch_begin(step // 4)
        callbacks.on_train_batch_begin(step % 4)
        rates.append(float(network.optimizer.learning_rate))
        network.optimizer.apply([tf.ones((1, 1))])
        callbacks.on_train_batch_end(step % 4, {"loss": 1.0})
    callbacks.on_train_end()
    return rates


class TestLoopOfOnesOwn:
    TRIANGLE = (1, 2, 3, 2, 1, 2, 3, 2)

    @pytest.mark.parametrize("epochs", [True, False])
    @pytest.mark.parametrize("start_step", [0, None])
    def test_without_params_has_the_rates_of_fit(self, epochs, start_step):
        clr = CyclicLR(1.0, 3.0, 2, start_step=start_step)
        assert loop_of_ones_own(clr, epochs=epochs) == list(self.TRIANGLE)
        assert clr.history["lr"] == list(self.TRIANGLE)
        assert clr.history["iterations"] == list(range(1, 9))
        assert clr.history["loss"] == [1.0] * 8

    def test_with_params_as_well(self):
        assert loop_of_ones_own(CyclicLR(1.0, 3.0, 2), epochs=2, steps=8) == list(self.TRIANGLE)

    @pytest.mark.parametrize("epochs", [True, False])
    def test_one_cycle_needs_total_steps_there(self, epochs):
        clr = OneCycleLR(1.0, total_steps=8, warmup_steps=2, anneal="linear", div_factor=4)
        np.testing.assert_allclose(loop_of_ones_own(clr, epochs=epochs), clr.preview(8), rtol=1e-6)
        with pytest.raises(
            ValueError, match=r"`OneCycleLR`: the length of this `fit` is unknown.*`total_steps`"
        ):
            loop_of_ones_own(OneCycleLR(1.0), epochs=epochs)

    def test_reset_leaves_out_another_warm_up(self):
        clr = CyclicLR(1.0, 3.0, 2, warmup_steps=1)
        assert loop_of_ones_own(clr, steps=4, epochs=False) == [0.5, 1, 2, 3]
        clr.reset(max_lr=5.0)
        clr.start_step = None
        assert loop_of_ones_own(clr, steps=3, epochs=False) == [1, 3, 5]


class TestMetricsOfTheSameNames:
    def test_do_not_enter_the_callbacks_history_and_keep_their_own_place(self):
        def metric(name, value):
            def constant(y_true, y_pred):
                return keras.ops.convert_to_tensor(value)

            constant.__name__ = name
            return constant

        names = {"lr": 5.0, "momentum": 6.0, "iterations": 7.0, "learning_rate": 8.0}
        optimizer = keras.optimizers.SGD(7.0, momentum=0.9)
        network = one_weight(optimizer, metrics=[metric(*item) for item in names.items()])
        clr = CyclicLR(1.0, 3.0, 2, momentum=(0.25, 0.75))
        x = np.ones((4, 1))
        history = network.fit(x, x, batch_size=1, callbacks=[clr], verbose=0).history
        assert clr.history["lr"] == [1, 2, 3, 2]
        assert clr.history["momentum"] == [0.75, 0.5, 0.25, 0.5]
        assert clr.history["iterations"] == [1, 2, 3, 4]
        assert {name: history[name] for name in names} == {name: [value] for name, value in names.items()}


COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda callback: pickle.loads(pickle.dumps(callback))}


@pytest.mark.filterwarnings("ignore::pyimagesearch_lr.MidCycleWarning")
class TestCopies:
    @pytest.mark.parametrize("way", COPIES)
    @pytest.mark.parametrize(
        "make",
        [
            lambda: CyclicLR(1.0, 3.0, 2, warmup_steps=1),
            lambda: CyclicLR(1.0, 3.0, 2, momentum=(0.25, 0.75)),
            lambda: OneCycleLR(1.0),
            lambda: OneCycleLR(1.0, momentum=(0.25, 0.75)),
        ],
        ids=["CyclicLR", "with momentum", "OneCycleLR", "OneCycleLR with momentum"],
    )
    def test_of_new_and_used_callbacks_do_what_the_original_does(self, make, way):
        def trained(clr):
            return fit_one_weight(one_weight(keras.optimizers.SGD(7.0, momentum=0.9)), [clr])

        original = make()
        weight = trained(original)
        new = COPIES[way](make())
        assert trained(new) == weight
        used = COPIES[way](original)
        assert used.history == original.history
        assert used.model is None
        assert used.get_config() == original.get_config()
        assert trained(used) == weight
        assert used.history["lr"] == 2 * original.history["lr"]

    def test_in_the_midst_of_fit_leave_the_original_alone(self):
        clr = CyclicLR(1.0, 3.0, 2, momentum=(0.25, 0.75))
        copies = []
        copying = keras.callbacks.LambdaCallback(
            on_train_batch_begin=lambda batch, logs: copies.append(copy.deepcopy(clr))
        )
        network = one_weight(keras.optimizers.SGD(7.0, momentum=0.9))
        assert fit_one_weight(network, [clr, copying]) == 1 + 2.5 + 3.625 + 3.8125
        assert [len(each.history.get("lr", [])) for each in copies] == [0, 1, 2, 3]

    def test_of_a_scale_fn_without_a_name_work(self):
        clr = copy.deepcopy(CyclicLR(1.0, 3.0, 2, scale_fn=lambda cycle: 1 / cycle))
        assert (
            clr.preview(8).tolist()
            == CyclicLR(1.0, 3.0, 2, scale_fn=lambda cycle: 1 / cycle).preview(8).tolist()
        )


ON_JAX = """
import keras, numpy as np
from one_weight import fit_one_weight, one_weight
from pyimagesearch_lr.cycles import CyclicalLearningRate, CyclicLR, OneCycleLearningRate, OneCycleLR
assert keras.backend.backend() == "jax"
one_cycle = {"total_steps": 8, "anneal": "linear", "div_factor": 4, "warmup_steps": 2}
growing = {"step_size_down": 2, "cycle_mult": 3, "anneal": "cos"}
for callback, schedule in (
    (CyclicLR(1.0, 3.0, 2), CyclicalLearningRate(1.0, 3.0, 2)),
    (CyclicLR(0.0, 4.0, 0, **growing), CyclicalLearningRate(0.0, 4.0, 0, **growing)),
    (OneCycleLR(1.0, **one_cycle), OneCycleLearningRate(1.0, **one_cycle)),
):
    expected = callback.preview(8).sum()
    of_callback = fit_one_weight(one_weight(keras.optimizers.SGD(7.0)), [callback], steps=8)
    of_schedule = fit_one_weight(one_weight(keras.optimizers.SGD(schedule)), [], steps=8)
    np.testing.assert_allclose([of_callback, of_schedule], expected, rtol=1e-5)
    assert callback.history["lr"] == callback.preview(8).tolist()
    steps = (100, 9_999, 100_003)
    expected = [callback.lr_at(step) for step in steps]
    np.testing.assert_allclose([float(schedule(step)) for step in steps], expected, rtol=1e-3, atol=1e-3)
print("right")
"""


def test_all_four_train_on_jax_at_the_right_rates(jax_environment):
    run = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", ON_JAX],
        env=jax_environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.stdout == "right\n", run.stderr
