"""Ctrl-C, SIGTERM and SIGHUP end a run in one way."""

from __future__ import annotations

import signal
import sys
import threading

import pytest

from pyimagesearch_lr.pipeline import stopping
from pyimagesearch_lr.pipeline.stopping import Stopped, raise_if_stopped, stoppable

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.mark.parametrize("number", CODES)
def test_signal_is_raised_with_its_name_and_code_and_handlers_are_put_back(number):
    before = {each: signal.getsignal(each) for each in CODES}
    with pytest.raises(Stopped) as error, stoppable():
        signal.raise_signal(number)
    assert (error.value.name, error.value.exit_code) == (signal.Signals(number).name, CODES[number])
    assert isinstance(error.value, KeyboardInterrupt)
    assert {each: signal.getsignal(each) for each in CODES} == before


def test_later_signals_change_nothing():
    with stoppable():
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(number)
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGINT)  # who types it again wants out


def test_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_exception_that_python_dropped_is_raised_again(monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)

    class Dropping:
        def __del__(self):
            signal.raise_signal(signal.SIGTERM)

    with stoppable():
        raise_if_stopped()
        Dropping()
        with pytest.raises(Stopped) as error:
            raise_if_stopped()
    assert error.value.name == "SIGTERM"


def test_one_run_knows_nothing_of_the_signal_of_another():
    with pytest.raises(Stopped), stoppable():
        signal.raise_signal(signal.SIGTERM)
    raise_if_stopped()
    with stoppable():
        raise_if_stopped()


def test_inner_body_is_stopped_as_the_outer_one():
    with stoppable(), pytest.raises(Stopped), stoppable():
        signal.raise_signal(signal.SIGTERM)


def test_other_threads_change_no_handler():
    seen = []

    def body():
        with stoppable():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]
    assert stopping._stop not in seen
