"""What a run says, and what it keeps from standard error without touching anything else."""

from __future__ import annotations

import io
import os
import signal
import sys
import time

import pytest

from pyimagesearch_lr.pipeline import terminal


def test_a_line_is_marked_and_printed_at_once(monkeypatch):
    class Buffered(io.StringIO):
        flushed = ""

        def flush(self):
            self.flushed = self.getvalue()

    out = Buffered()
    monkeypatch.setattr(sys, "stdout", out)
    terminal.info("loading...")
    assert out.flushed == "[INFO] loading...\n"


@pytest.mark.parametrize(("is_terminal", "verbose"), [(True, 1), (False, 2)])
def test_progress_bar_is_for_a_terminal_only(monkeypatch, is_terminal, verbose):
    out = io.StringIO()
    out.isatty = lambda: is_terminal
    monkeypatch.setattr(sys, "stdout", out)
    assert terminal.verbosity() == verbose


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_standard_error_is_silent_inside_and_itself_again_outside(capfd):
    before = open_files()
    os.write(2, b"before ")
    with terminal.muted_stderr():
        os.write(2, b"noise ")
    os.write(2, b"after")
    assert capfd.readouterr().err == "before after"
    assert open_files() == before


def test_text_waiting_in_pythons_buffer_is_not_lost(capfd):
    with open(2, "w", closefd=False) as stderr, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stderr)
        stderr.write("waiting")
        with terminal.muted_stderr():
            stderr.flush()
    assert capfd.readouterr().err == "waiting"


@pytest.mark.parametrize("error", [ImportError("no TensorFlow"), KeyboardInterrupt("real"), SystemExit(3)])
def test_standard_error_comes_back_after_an_exception(capfd, error):
    before = open_files()
    with pytest.raises(type(error), match=str(error)), terminal.muted_stderr():
        raise error
    os.write(2, b"audible")
    assert capfd.readouterr().err == "audible"
    assert open_files() == before


def test_standard_error_comes_back_after_a_real_ctrl_c(capfd):
    before = open_files()
    try:
        with terminal.muted_stderr():
            os.write(2, b"noise")
            signal.raise_signal(signal.SIGINT)
            time.sleep(10)
    except KeyboardInterrupt:
        os.write(2, b"audible")
    assert capfd.readouterr().err == "audible"
    assert open_files() == before


def test_muting_does_not_touch_signal_handlers():
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with terminal.muted_stderr():
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_muting_works_where_standard_error_is_closed(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with terminal.muted_stderr():
        assert sys.stderr is None
