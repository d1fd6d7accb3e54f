"""What a run tells its user, and what it hides."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
SECONDS_BETWEEN = 0.1  # between two drawings of a progress line


def info(message: str) -> None:
    """Print a line about the run, at once."""
    print(f"[INFO] {message}", flush=True)


def verbosity() -> int:
    """Keras's `verbose`: its progress bar on a terminal, one line per epoch in a log file."""
    return 1 if sys.stdout.isatty() else 2


def progress(what: str, total: int) -> Callable[[Iterable[Item]], Iterator[Item]]:
    """Hand items on, and show on a terminal how many of `total` have gone by; in a log file say it once.

    Args:
        what: String, what is being done: "reading pictures".
        total: Int, how many items there are.
    """

    def handed_on(items: Iterable[Item]) -> Iterator[Item]:
        if not sys.stdout.isatty():
            info(f"{what}: {total:,}...")
            yield from items
            return
        shown = 0.0
        for count, item in enumerate(items, 1):
            now = time.monotonic()
            if now - shown > SECONDS_BETWEEN or count == total:
                print(f"\r[INFO] {what}: {count:,} of {total:,} ({count / total:.0%})", end="", flush=True)
                shown = now
            yield item
        print(flush=True)

    return handed_on


@contextmanager
def muted_stderr() -> Iterator[None]:
    """Nothing reaches standard error inside, not even from libraries in C++."""
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
