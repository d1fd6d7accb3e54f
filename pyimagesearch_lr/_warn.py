"""Warnings that point at the user's own line, however deep in a `fit` they are raised."""

from __future__ import annotations

import inspect
import warnings
from types import FrameType
from typing import cast

PASSED_OVER = (__package__, "keras", "tensorflow", "contextlib")


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn as `warnings.warn` does, pointing at the innermost line that is neither ours nor the framework's.

    A callback is called by Keras's `fit`, some frames below the line that called `fit`, and how many depends
    on the version. Python has `skip_file_prefixes` for this from 3.12 on.

    Args:
        message: String, the text of the warning.
        category: Subclass of `Warning`.
    """
    frame = cast(FrameType, inspect.currentframe())
    while frame.f_back is not None and _is_passed_over(frame):
        frame = frame.f_back
    module = frame.f_globals
    warnings.warn_explicit(
        message,
        category,
        filename=frame.f_code.co_filename,
        lineno=frame.f_lineno,
        module=module.get("__name__") or "<unknown>",  # None would be dropped in silence
        registry=module.setdefault("__warningregistry__", {}),
    )


def _is_passed_over(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__", "").partition(".")[0] in PASSED_OVER
