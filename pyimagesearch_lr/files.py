"""Files that appear whole or not at all and survive a power cut, and JSON that every reader accepts."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

LONGEST_ENDING = 60


@contextmanager
def written_whole(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary path beside `path`, with the same ending, that takes its place if the body succeeds.

    Missing folders are made. What is written is synced to the disk before it takes the place of `path`, and
    the folder is synced after, so neither a kill nor a power cut leaves half a file. If the body raises, the
    temporary file is removed and `path` stays as it was.

    Raises:
        OSError: If the file cannot be written; it names `path`, even where the system named no file.

    Example:

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "new" / "notes.txt"
    >>> with written_whole(target) as temporary:
    ...     _ = temporary.write_text("done")
    >>> target.read_text()
    'done'
    """
    path = Path(path)
    temporary = path.with_name(f".partial-{os.getpid()}-{_ending(path)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        sync(temporary)
        temporary.replace(path)
        with suppress(OSError):  # some systems cannot sync a folder
            sync(path.parent)
    except OSError as error:
        if error.filename in (None, str(temporary), str(path.parent)):
            raise OSError(error.errno or 0, error.strerror or str(error), str(path)) from error
        raise
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_leftovers(folder: str | os.PathLike, name: str | None = None) -> None:
    """Remove what killed processes left behind in `written_whole`. No process may be writing there now.

    Args:
        folder: Path of the folder.
        name: String, the name of the file that was to be written; None takes all in the folder.
    """
    ending = ".*" if name is None else re.escape(_ending(Path(name)))
    temporary = re.compile(rf"\.partial-\d+-{ending}", re.DOTALL)
    entries: list[Path] = []
    with suppress(OSError):  # no such folder: nothing was left in it
        entries = list(Path(folder).iterdir())
    for entry in entries:
        if temporary.fullmatch(entry.name):
            with suppress(OSError):
                entry.unlink()


def sync(path: Path) -> None:
    """Return when what is written to a file or a folder is on the disk."""
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)  # Windows syncs what can be written
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def in_a_line(error: OSError) -> str:
    """The file and the reason of an error, for people.

    Example:

    >>> in_a_line(FileNotFoundError(2, "No such file or directory", "notes.txt"))
    'notes.txt: No such file or directory'
    """
    reason = " ".join((error.strerror or str(error)).split())
    return reason if error.filename is None else f"{error.filename}: {reason}"


def strict_json(document: Any, indent: int | None = None) -> str:
    """`document` as strict JSON, which has no NaN and no infinity: they become strings that `float` reads.

    Example:

    >>> strict_json({"loss": [1.5, float("nan")]})
    '{"loss": [1.5, "nan"]}'
    """
    return json.dumps(_with_finite_numbers(document), indent=indent, allow_nan=False)


def _ending(path: Path) -> str:
    """The end of the name: a temporary name made with it is no longer than most folders allow."""
    return path.name[-LONGEST_ENDING:]


def _with_finite_numbers(document: Any) -> Any:
    if isinstance(document, dict):
        return {name: _with_finite_numbers(value) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [_with_finite_numbers(value) for value in document]
    is_finite = not isinstance(document, float) or math.isfinite(document)
    return document if is_finite else str(document)
