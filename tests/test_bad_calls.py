"""Calls that cannot work and what each is answered: a line with the argument, what is expected, what came.

The table is tests/bad_calls.json.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest

import pyimagesearch_lr

CALLS = json.loads(Path(__file__).with_name("bad_calls.json").read_text(encoding="utf-8"))
X, Y = np.ones((16, 4), np.float32), np.ones((16, 1), np.float32)


def network() -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def message_of(call: str) -> str | None:
    """The error's type and text; None where the call works."""
    names = {name: getattr(pyimagesearch_lr, name) for name in pyimagesearch_lr.__all__}
    try:
        eval(call, {**names, "keras": keras, "network": network, "X": X, "Y": Y})
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


@pytest.mark.parametrize("case", CALLS, ids=lambda case: case["call"][:70])
def test_bad_call_is_answered_in_a_line(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = message_of(case["call"])
    assert message == case["error"]
    assert "\n" not in message
    assert os.listdir(tmp_path) == []


def test_table_is_as_long_as_promised():
    assert len(CALLS) >= 150
    assert len({case["call"] for case in CALLS}) == len(CALLS)
