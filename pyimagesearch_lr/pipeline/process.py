"""A command as a process: its exit code, its signals, and output that may be closed or full."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress

from pyimagesearch_lr.pipeline.stopping import Stopped, stoppable

EXIT_OK, EXIT_NO_SUGGESTION, EXIT_BAD_INPUT, EXIT_NOT_FINITE = 0, 1, 2, 3
EXIT_CODES = (
    "Exit codes: 0 done; 1 no bounds found with --auto; 2 a setting, the data, a file or the "
    "folder cannot be used; 3 the loss is not finite; 129, 130, 143 stopped by SIGHUP, Ctrl-C, SIGTERM."
)


def as_a_command(run: Callable[[], int]) -> int:
    """Run a process: handle signals, failing streams and unprintable characters; return the exit code."""
    with stoppable():
        try:
            prepare_console()
            code = run()
        except KeyboardInterrupt as error:
            code = stopped(error)
        except OSError as error:
            code = failed(f"standard output: {error.strerror}")
        return flushed(code)


def failed(message: str, code: int = EXIT_BAD_INPUT) -> int:
    """Say what went wrong; return the exit code."""
    say(f"[ERROR] {message}")
    return code


def stopped(error: KeyboardInterrupt, kept: str = "") -> int:
    """Say that a signal has ended the run, and what is kept; return the exit code."""
    signal = error if isinstance(error, Stopped) else Stopped()
    what = "interrupted" if signal.name == "SIGINT" else f"stopped by {signal.name}"
    say(f"\n[INFO] {what}{kept}")
    return signal.exit_code


def prepare_console() -> None:
    """Make every character printable, and printing to a closed stream no error."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for good
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def say(line: str) -> None:
    """Print to standard error, which may be gone with the terminal."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def flushed(code: int) -> int:
    """Flush standard output and return the exit code; a reader that is gone is an error too."""
    try:
        sys.stdout.flush()
        return code
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python fails again when it exits
        return code or failed(f"standard output: {error.strerror}")
