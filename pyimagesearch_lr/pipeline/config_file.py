"""The user's config.py: imported, written, and errors in it told in one line."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Any

from pyimagesearch_lr.files import written_whole

NAME = "config.py"
TEMPLATE = Path(__file__).with_name("config_template.txt")


class UnusableConfig(Exception):  # noqa: N818 - the message says why
    """There is no config.py, or it cannot be imported."""


def imported(folder: str) -> Any:
    """The config.py of a folder as a module.

    Raises:
        UnusableConfig: If there is none, or importing it raises.
    """
    if not os.path.lexists(os.path.join(folder, NAME)):  # Python would import another module of that name
        raise UnusableConfig(
            f"there is no config.py in {folder}: `pyimagesearch-lr init` writes one into the current folder."
        )
    sys.path.insert(0, folder)
    try:
        import config

        return config
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever the user's file raises, SystemExit among it
        raise UnusableConfig(_what_is_wrong(error, folder)) from error


def write(folder: str | os.PathLike) -> Path:
    """Write a config.py with a comment on every setting; return its path.

    Raises:
        UnusableConfig: If there is one already: it stays as it is.
        OSError: If it cannot be written.
    """
    path = Path(folder, NAME)
    if os.path.lexists(path):
        raise UnusableConfig(f"{path} exists already and is left as it is. Move it away to get a new one.")
    with written_whole(path) as temporary:
        temporary.write_text(TEMPLATE.read_text(encoding="utf-8"), encoding="utf-8")
    return path


def _what_is_wrong(error: BaseException, folder: str) -> str:
    path = os.path.join(folder, NAME)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    if isinstance(error, SyntaxError):
        path, line, what = error.filename or path, error.lineno, error.msg
    else:
        line, what = lines[-1] if lines else None, _text_of(error)
    where = path if line is None else f"{path}, line {line}"
    kind = type(error).__name__
    if isinstance(error, SystemExit):
        what = f"{what or 'no code'}; config.py must not end the program"
    return f"{where}: {kind}{f': {what}' if what else ''}."


def _text_of(error: BaseException) -> str:
    try:
        return " ".join(str(error).split())
    except Exception:  # whatever the error's own code raises
        return ""
