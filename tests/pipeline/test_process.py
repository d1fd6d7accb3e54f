"""A command as a process: signals, closed and failing streams, and the exit code that follows."""

from __future__ import annotations

import io
import os
import signal
import sys

import pytest

from pyimagesearch_lr.pipeline import process


def test_code_of_the_run_is_that_of_the_process(capsys):
    assert process.as_a_command(lambda: 7) == 7


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("SIGINT", 130, "interrupted"),
        ("SIGTERM", 143, "stopped by SIGTERM"),
        ("SIGHUP", 129, "stopped by SIGHUP"),
    ],
)
def test_signal_ends_the_run_with_its_code_and_a_line(capsys, name, code, told):
    handler = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        assert (
            process.as_a_command(lambda: os.kill(os.getpid(), getattr(signal, name)) or signal.pause())
            == code
        )
    finally:
        signal.signal(signal.SIGHUP, handler)
    assert capsys.readouterr().err == f"\n[INFO] {told}\n"


def test_full_disk_under_standard_output_is_a_line(capsys):
    def run():
        raise OSError(28, "No space left on device")

    assert process.as_a_command(run) == 2
    assert capsys.readouterr().err == "[ERROR] standard output: No space left on device\n"


def test_character_that_a_console_cannot_print_is_escaped(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert process.as_a_command(lambda: print("猫") or 0) == 0
    assert stream.buffer.getvalue() == b"\\u732b\n"


def test_closed_streams_are_no_error(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert process.as_a_command(lambda: print("into nothing") or 0) == 0
    sys.stdout.close()
    sys.stderr.close()


def test_message_to_a_terminal_that_is_gone_is_dropped(monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(sys, "stderr", Gone())
    assert process.failed("nobody reads this") == 2
