"""Warnings name the line of the user's that led to them."""

import inspect
import warnings

import keras
import pytest
from models import data, model

from pyimagesearch_lr import MidCycleWarning
from pyimagesearch_lr._warn import warn
from pyimagesearch_lr.cycles import CyclicLR


def test_warning_of_a_callback_points_at_the_call_of_fit():
    x, y = data(16)
    with pytest.warns(MidCycleWarning, match="epochs=1 ends in mid-cycle") as caught:
        model().fit(x, y, batch_size=4, callbacks=[CyclicLR(0.1, 0.2, 100)], verbose=0)
        line = inspect.currentframe().f_lineno - 1
    assert (caught[0].filename, caught[0].lineno) == (__file__, line)


def test_warning_points_at_the_call_of_a_loop_of_ones_own():
    callbacks = keras.callbacks.CallbackList([CyclicLR(0.1, 0.2, 100)], model=model(), epochs=1, steps=4)
    callbacks.on_train_begin()
    with pytest.warns(MidCycleWarning, match="epochs=1 ends in mid-cycle") as caught:
        callbacks.on_epoch_begin(0)
        line = inspect.currentframe().f_lineno - 1
    assert (caught[0].filename, caught[0].lineno) == (__file__, line)


def test_line_is_told_once_by_default_and_a_filter_of_the_users_module_applies():
    def twice(action):
        with warnings.catch_warnings(record=True) as caught:
            warnings.resetwarnings()
            warnings.filterwarnings(action, module=__name__)
            for _ in range(2):
                warn("said")
        return [str(each.message) for each in caught]

    assert twice("default") == ["said"]
    assert twice("ignore") == []


def test_code_without_a_module_name_is_warned_too():
    with pytest.warns(UserWarning, match="said"):
        exec("from pyimagesearch_lr._warn import warn\nwarn('said')", {})
