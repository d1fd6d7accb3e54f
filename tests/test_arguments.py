"""Arguments come out as plain Python, or the error names them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from pyimagesearch_lr import _arguments
from pyimagesearch_lr._arguments import (
    COUNT,
    COUNT_OR_0,
    SHARE_BELOW_1,
    flag,
    function,
    number,
    one_of,
    optional,
    rate,
    text,
    whole,
)

NO_NUMBERS = [
    "0.5",
    None,
    [0.5],
    (1,),
    {},
    True,
    np.True_,
    1j,
    Decimal(1),
    np.array([1.0]),
    np.array("1"),
    object(),
]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("kind", [number(), whole(), rate(zero=True)], ids=["number", "whole", "rate"])
def test_what_is_no_number_is_a_type_error_that_says_what_it_is(kind, value):
    with pytest.raises(TypeError, match=rf"`Mine`: `size` must be a number.*of type {type(value).__name__}"):
        kind("Mine", "size", value)


@pytest.mark.parametrize(
    "value", [3, 3.0, np.int64(3), np.uint8(3), np.float16(3), np.float32(3), np.float64(3), np.array(3.0)]
)
def test_numbers_come_out_as_pythons_own(value):
    for kind, types in ((number(), {int, float}), (whole(), {int}), (rate(zero=False), {float})):
        plain = kind("", "size", value)
        assert plain == 3
        assert type(plain) in types
        assert json.loads(json.dumps(plain)) == 3


class WithoutValue:
    """As a tensor of a graph that is only being traced."""

    def __array__(self, dtype=None, copy=None):
        raise NotImplementedError("no value yet")


def test_tensor_without_a_value_is_no_number():
    with pytest.raises(TypeError, match=r"`size` must be a number.*WithoutValue"):
        number()("", "size", WithoutValue())


@dataclass(frozen=True)
class Refused:
    kind: Any
    value: Any
    error: type[Exception]
    message: str


REFUSED = [
    Refused(number(), math.nan, ValueError, "`f`: `x` must be a finite number. Received: x=nan"),
    Refused(number(), math.inf, ValueError, "`x` must be a finite number. Received: x=inf"),
    Refused(whole(), 2.5, ValueError, r"`x` must be a whole number. Received: x=2\.5"),
    Refused(whole(), math.inf, ValueError, "`x` must be a whole number. Received: x=inf"),
    Refused(
        rate(zero=True),
        10**400,
        ValueError,
        "`x` must be a finite number of at least 0 in the range of float32",
    ),
    Refused(rate(zero=True), -1, ValueError, "of at least 0.*x=-1"),
    Refused(rate(zero=True), 1e-45, ValueError, r"\(1\.2e-38 to 3\.4e\+38\).*x=1e-45"),
    Refused(rate(zero=False), 0, ValueError, "`x` must be a finite number above 0.*x=0"),
    Refused(COUNT, 0, ValueError, "`x` must be a whole number of at least 1. Received: x=0"),
    Refused(COUNT_OR_0, -1, ValueError, "`x` must be a whole number of at least 0. Received: x=-1"),
    Refused(SHARE_BELOW_1, 1.0, ValueError, r"`x` must be at least 0 and less than 1. Received: x=1\.0"),
    Refused(one_of(("a", "b")), "c", ValueError, r"`x` must be one of \('a', 'b'\). Received: x='c'"),
    Refused(one_of(("a", "b")), 1, TypeError, r"must be one of \('a', 'b'\).*x=1 \(of type int\)"),
    Refused(text, 1, TypeError, "must be a string"),
    Refused(flag, 1, TypeError, "must be True or False.*of type int"),
    Refused(function, 1, TypeError, "must be a function"),
    Refused(optional(text), 1, TypeError, "must be a string"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.message)
def test_refusals_say_what_was_expected_and_received(case):
    with pytest.raises(case.error, match=case.message):
        case.kind("f", "x", case.value)


@pytest.mark.parametrize(
    "kind, value",
    [
        (rate(zero=True), 0.0),
        (COUNT, 1),
        (COUNT_OR_0, 0),
        (SHARE_BELOW_1, 0.0),
        (flag, True),
        (text, "a"),
        (function, len),
        (optional(text), None),
        (one_of("ab"), "a"),
    ],
)
def test_what_is_allowed_comes_back(kind, value):
    assert kind("f", "x", value) == value


def test_long_values_are_shortened():
    with pytest.raises(TypeError, match="must be a number") as caught:
        number()("f", "x", list(range(10**6)))
    assert len(str(caught.value)) < 200


def test_error_without_an_owner_begins_with_the_argument():
    assert str(_arguments.wrong_value("", "x", "above 0", -1)) == "`x` must be above 0. Received: x=-1."
