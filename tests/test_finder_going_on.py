"""What a stopped process has measured is not measured again, and the answer is the same."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
from models import data, model

from pyimagesearch_lr.finder import LearningRateFinder
from pyimagesearch_lr.probing import STAGES, Verify

X, Y = data(64)
FIND = {"start_lr": 1e-5, "end_lr": 10.0, "num_steps": 60, "batch_size": 16, "verbose": 0}


def measured(verify=120, **settings):
    """The curve of a fresh model, and how many steps were trained for it."""
    network, steps = model(keras.optimizers.Adam(0.01)), []

    class Counting(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            steps.append(batch)

    fit = network.fit
    network.fit = lambda *args, callbacks, **kwargs: fit(*args, callbacks=[*callbacks, Counting()], **kwargs)
    finder = LearningRateFinder(network, **settings)
    return finder.find((X, Y), **FIND, verify=verify), len(steps)


@pytest.fixture(scope="module")
def kept():
    kept = []
    whole, steps = measured(keep=kept.append)
    return whole, steps, kept


def test_keep_gets_the_sweep_and_then_every_probe(kept):
    whole, _, curves = kept
    tried = len(whole.probes)
    assert [len(curve.probes) for curve in curves] == [*range(tried + 1), tried]
    assert curves[-1].probes == whole.probes
    assert curves[-1].metadata == whole.metadata


def test_what_is_kept_before_the_end_says_that_trying_was_cut_short(kept):
    whole, _, curves = kept
    reasons = ["cut short" if curve.metadata.get("cut_short") else "whole" for curve in curves[1:]]
    assert reasons == ["cut short"] * len(whole.probes) + ["whole"]
    assert "stopped" in curves[-2].suggest().reason


@pytest.mark.parametrize("number", [0, 1, 3, -1])
def test_goes_on_from_what_was_kept(kept, number):
    whole, steps, curves = kept
    earlier = curves[number]
    got, trained = measured(earlier=earlier)
    assert got.probes == whole.probes
    np.testing.assert_array_equal(got.raw_losses, whole.raw_losses)
    done = sum(probe.steps for probe in earlier.probes)
    before = (
        0 if earlier.probes == whole.probes else STAGES.first_steps(120)
    )  # which tell the loss before anything is learnt
    assert trained == before + sum(probe.steps for probe in whole.probes) - done
    assert trained < steps


@pytest.mark.parametrize("first", ["training", "validation"])
def test_probes_that_were_judged_on_other_data_are_made_again(kept, first):
    whole, _, curves = kept
    held_out = Verify(120, validation_data=(X[:16], Y[:16]))
    if first == "training":
        got, trained = measured(held_out, earlier=curves[-1])
        expected, _ = measured(held_out)
    else:
        got, trained = measured(earlier=measured(held_out)[0])
        expected = whole
    assert got.probes == expected.probes
    assert got.suggest() == expected.suggest()
    assert trained == STAGES.first_steps(120) + sum(probe.steps for probe in expected.probes)


def test_sweep_that_was_not_whole_is_made_again(kept):
    whole, _, curves = kept
    earlier = dataclasses.replace(curves[0], stop_reason="interrupted")
    got, _ = measured(earlier=earlier)
    np.testing.assert_array_equal(got.raw_losses, whole.raw_losses)


def test_is_for_one_find(kept):
    network = model(keras.optimizers.Adam(0.01))
    finder = LearningRateFinder(network, earlier=kept[0])
    first = finder.find((X, Y), **FIND, verify=False)
    assert first.probes == ()
    assert finder.find((X, Y), **{**FIND, "num_steps": 30}, verify=False).lrs.size <= 30


def test_curve_of_another_sweep_is_refused(kept):
    network = model(keras.optimizers.Adam(0.01))
    finder = LearningRateFinder(network, earlier=kept[0])
    with pytest.raises(ValueError, match="`earlier` must be a curve of the same sweep"):
        finder.find((X, Y), **{**FIND, "start_lr": 1e-4}, verify=False)


@pytest.mark.parametrize("first", ["training", "validation"])
def test_curve_on_other_data_is_refused(kept, first):
    settings = {**FIND, "num_steps": 10, "verify": False}
    held_out = {**settings, "validation_data": (X[:16], Y[:16])}
    before, now = (settings, held_out) if first == "training" else (held_out, settings)
    curve = LearningRateFinder(model()).find((X, Y), **before)
    finder = LearningRateFinder(model(), earlier=curve)
    with pytest.raises(ValueError, match=r"same sweep.*'losses_on': '.*Leave `earlier` out"):
        finder.find((X, Y), **now)


@pytest.mark.parametrize(("name", "value"), [("earlier", "lrfind.json"), ("keep", "lrfind.json")])
def test_wrong_types_are_named(name, value):
    with pytest.raises(TypeError, match=f"`{name}` must be"):
        LearningRateFinder(model(), **{name: value})
