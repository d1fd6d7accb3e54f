"""What ends a run from outside: Ctrl-C, SIGTERM and SIGHUP, as one exception; imports nothing slow."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # Windows has no SIGHUP
_received: list[int] = []


class Stopped(KeyboardInterrupt):
    """A signal that asks the process to end.

    Args:
        number: Int, the signal's number.
    """

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__(number)
        self.number = number

    @property
    def name(self) -> str:
        """What the signal is called."""
        return signal.Signals(self.number).name

    @property
    def exit_code(self) -> int:
        """128 plus the signal's number, as shells report a process that a signal has ended."""
        return 128 + self.number


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Stopped` in the body, wherever it is, at the first of these signals and at every Ctrl-C.

    Later signals, other than Ctrl-C, change nothing: a terminal that is closed sends more than one.
    A signal that the process was started to ignore (`nohup`, a shell's background) stays ignored.
    Outside the main thread, where Python handles no signals, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _received.clear()
    before = {number: signal.getsignal(number) for number in STOPPING}
    for number, handler in before.items():
        if handler not in (signal.SIG_IGN, _stop):
            signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        _received.clear()


def raise_if_stopped() -> None:
    """Raise `Stopped` if a signal came whose exception was lost: Python drops one that a finalizer raises."""
    if _received:
        raise Stopped(_received[0])


def _stop(number: int, frame: FrameType | None) -> None:
    first = not _received
    _received.append(number)
    if first or number == signal.SIGINT:
        raise Stopped(number)
