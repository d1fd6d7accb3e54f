"""An argument as plain Python, or an error that names it; Keras and TensorFlow are never imported here.

A kind is a function `(owner, name, value) -> value`: it returns the argument as one of Python's own numbers,
strings or bools, or raises a TypeError or ValueError that says which argument of which class or function was
refused, what was expected and what was received.
"""

from __future__ import annotations

import math
import numbers
import os
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field, fields
from typing import Any

import numpy as np

Kind = Callable[[str, str, Any], Any]
SMALLEST, LARGEST = (float(bound) for bound in (np.finfo(np.float32).tiny, np.finfo(np.float32).max))
NOT_CONVERTED = (TypeError, ValueError, RuntimeError, NotImplementedError)  # of a tensor without a value


@dataclass(frozen=True)
class Checked:
    """A frozen dataclass whose fields name their kind; it checks them once, when it is made.

    Args:
        owner: String, the class or function that errors name, as the user knows it; "" names none.

    Example:

    >>> @dataclass(frozen=True)
    ... class Decay(Checked):
    ...     gamma: float = field(default=1.0, metadata=of(number("above 0", lambda gamma: gamma > 0)))
    >>> Decay(np.float64(0.5)).gamma
    0.5
    >>> Decay(-1, owner="Mine")
    Traceback (most recent call last):
    ValueError: `Mine`: `gamma` must be above 0. Received: gamma=-1.
    """

    owner: InitVar[str] = field(default="", kw_only=True)

    def __post_init__(self, owner: str) -> None:
        for each in fields(self):
            value = each.metadata["kind"](owner, each.name, getattr(self, each.name))
            object.__setattr__(self, each.name, value)


def of(kind: Kind) -> Mapping[str, Kind]:
    """The metadata of a field of that kind."""
    return {"kind": kind}


def number(rule: str = "a finite number", holds: Callable[[float], bool] = math.isfinite) -> Kind:
    """A number for which `holds` is true, as `rule` says in words.

    Ints, floats and fractions are accepted, NumPy's numbers too, and tensors and arrays without axes; bools
    and strings are not.
    """

    def kind(owner: str, name: str, value: Any) -> float:
        plain = _plain_number(value)
        if plain is None:
            raise wrong_type(owner, name, "a number", value)
        if not holds(plain):
            raise wrong_value(owner, name, rule, plain)
        return plain

    return kind


def whole(rule: str = "a whole number", holds: Callable[[int], bool] = lambda value: True) -> Kind:
    """A whole number, as an int: `number`, but 2.5 is refused."""

    def kind(owner: str, name: str, value: Any) -> int:
        plain = number(rule, lambda plain: math.isfinite(plain) and plain == int(plain))(owner, name, value)
        if not holds(int(plain)):
            raise wrong_value(owner, name, rule, value)
        return int(plain)

    return kind


def rate(*, zero: bool) -> Kind:
    """A learning rate, as a float; one that is 0 in float32, in which optimizers keep it, is refused."""
    least = "of at least 0" if zero else "above 0"
    rule = f"a finite number {least} in the range of float32 ({SMALLEST:.1e} to {LARGEST:.1e})"
    in_range = number(rule, lambda value: SMALLEST <= value <= LARGEST or (zero and value == 0))
    return lambda owner, name, value: float(in_range(owner, name, value))


def one_of(choices: Sequence[str]) -> Kind:
    """One of these strings."""

    def kind(owner: str, name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise wrong_type(owner, name, f"one of {choices}", value)
        if value not in choices:
            raise wrong_value(owner, name, f"one of {choices}", value)
        return value

    return kind


def text(owner: str, name: str, value: Any) -> str:
    """Any string."""
    if not isinstance(value, str):
        raise wrong_type(owner, name, "a string", value)
    return value


def flag(owner: str, name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise wrong_type(owner, name, "True or False", value)
    return bool(value)


def function(owner: str, name: str, value: Any) -> Callable:
    """Anything that can be called."""
    if not callable(value):
        raise wrong_type(owner, name, "a function", value)
    return value


def path(owner: str, name: str, value: Any) -> str | os.PathLike:
    """The path of a file or folder."""
    if not isinstance(value, str | os.PathLike):
        raise wrong_type(owner, name, "a path", value)
    return value


def mapping(owner: str, name: str, value: Any) -> Mapping:
    """A dict, or an object that acts like one."""
    if not isinstance(value, Mapping):
        raise wrong_type(owner, name, "a dict", value)
    return value


def optional(kind: Kind) -> Kind:
    """None, or what `kind` takes."""

    def optional_kind(owner: str, name: str, value: Any) -> Any:
        return None if value is None else kind(owner, name, value)

    return optional_kind


COUNT = whole("a whole number of at least 1", lambda count: count >= 1)
COUNT_OR_0 = whole("a whole number of at least 0", lambda count: count >= 0)
SHARE_BELOW_1 = number("at least 0 and less than 1", lambda share: 0 <= share < 1)


def refusal(owner: str, message: str) -> ValueError:
    """The error for arguments that do not go together."""
    return ValueError(_prefix(owner) + message)


def wrong_type(owner: str, name: str, expected: str, value: Any) -> TypeError:
    """The error for an argument of another type than expected."""
    received = f"{name}={reprlib.repr(value)} (of type {type(value).__name__})"
    return TypeError(f"{_prefix(owner)}`{name}` must be {expected}. Received: {received}.")


def wrong_value(owner: str, name: str, rule: str, value: Any) -> ValueError:
    """The error for an argument of the right type that breaks its rule."""
    return ValueError(f"{_prefix(owner)}`{name}` must be {rule}. Received: {name}={reprlib.repr(value)}.")


def _prefix(owner: str) -> str:
    return f"`{owner}`: " if owner else ""


def _plain_number(value: Any) -> float | None:
    """The value as Python's own int or float; None if it is not a number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return int(value)
    if isinstance(value, numbers.Real):
        return value.item() if isinstance(value, np.generic) else float(value)
    if not hasattr(value, "__array__"):
        return None
    try:
        array = np.asarray(value)
    except NOT_CONVERTED:
        return None
    return array.item() if array.ndim == 0 and array.dtype.kind in "iuf" else None
