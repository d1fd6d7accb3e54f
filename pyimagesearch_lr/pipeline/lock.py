"""One run per folder: a lock that ends with its process, however that ends."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO

from pyimagesearch_lr.pipeline.plan import SettingError
from pyimagesearch_lr.pipeline.terminal import info

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

NAME = ".running"


@contextmanager
def held(folder: str | os.PathLike) -> Iterator[None]:
    """Keep other runs out of `folder` during the body.

    The system itself releases the lock when the process ends. The file only says who holds it.

    Raises:
        SettingError: If another run holds it; the message names its process and machine.
        OSError: If no file can be written to the folder.
    """
    path = Path(folder, NAME)
    file = open(path, "a+", encoding="utf-8")  # noqa: SIM115 - closed below, which releases the lock
    try:
        locked = _locked(file, path)
        while locked and not _is_of(path, file):  # the run that held it has just removed it
            file.close()
            file = open(path, "a+", encoding="utf-8")  # noqa: SIM115
            locked = _locked(file, path)
        try:
            if locked:
                _say_who_holds_it(file)
            yield
        finally:
            if locked:
                with suppress(OSError):
                    path.unlink(missing_ok=True)
    finally:
        with suppress(OSError):
            file.close()


def _say_who_holds_it(file: IO[str]) -> None:
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    with suppress(OSError):  # a full disk: the lock holds all the same
        file.truncate(0)
        file.write(json.dumps({"process": os.getpid(), "machine": platform.node(), "since": now}))
        file.flush()


def _is_of(path: Path, file: IO[str]) -> bool:
    """Whether the open file is the one that has that path now."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _locked(file: IO[str], path: Path) -> bool:
    """Lock the file; False where this system has no locks."""
    if fcntl is None:
        info(f"this system has no file locks: make sure that no other run writes to {path.parent}")
        return False
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SettingError(
            f"OUTPUT_DIR = {str(path.parent)!r} is in use by {_holder(path)}: wait until it has ended, or "
            "set another OUTPUT_DIR in config.py."
        ) from None
    except OSError as error:
        info(f"{path.parent} cannot be locked ({error.strerror}): make sure that no other run writes to it")
        return False
    return True


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f"process {holder['process']} on {holder['machine']}, since {holder['since']}"
    except (OSError, ValueError, LookupError, TypeError):
        return "another run"
