"""What a run tells its user, and what it keeps quiet."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def info(message: str) -> None:
    """Print a line about the run, at once."""
    print(f"[INFO] {message}", flush=True)


def verbosity() -> int:
    """Keras's `verbose`: its progress bar on a terminal, a line an epoch in a log file."""
    return 1 if sys.stdout.isatty() else 2


@contextmanager
def muted_stderr() -> Iterator[None]:
    """Nothing reaches standard error meanwhile, also not from libraries in C++."""
    if sys.stderr is None:  # closed by whoever started Python: there is nothing to mute
        yield
        return
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with open(os.devnull, "w", encoding="utf-8") as sink:
            os.dup2(sink.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
