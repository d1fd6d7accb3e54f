"""Files that appear whole or not at all, and JSON that every reader takes."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def written_whole(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary path beside `path`, with the same ending, that takes its place if the body succeeds.

    Missing folders are made. If the body raises, the temporary file goes and `path` stays as it was.

    Example:

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "new" / "notes.txt"
    >>> with written_whole(target) as temporary:
    ...     _ = temporary.write_text("done")
    >>> target.read_text()
    'done'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def strict_json(document: Any, indent: int | None = None) -> str:
    """`document` as strict JSON, which has no NaN and no infinity: they become strings that `float` reads.

    Example:

    >>> strict_json({"loss": [1.5, float("nan")]})
    '{"loss": [1.5, "nan"]}'
    """
    return json.dumps(_with_finite_numbers(document), indent=indent, allow_nan=False)


def _with_finite_numbers(document: Any) -> Any:
    if isinstance(document, dict):
        return {name: _with_finite_numbers(value) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [_with_finite_numbers(value) for value in document]
    is_finite = not isinstance(document, float) or math.isfinite(document)
    return document if is_finite else str(document)
