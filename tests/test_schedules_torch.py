"""Cycles and one-cycles against what PyTorch sets; scripts/make/schedule_reference.py made the values."""

import json
from pathlib import Path

import numpy as np
import pytest

from pyimagesearch_lr.schedules import Cyclic, OneCycle

REFERENCE = json.loads(Path(__file__).with_name("torch_schedules.json").read_text(encoding="utf-8"))
BASE_MOMENTUM, MAX_MOMENTUM = 0.85, 0.95
SCALE_FNS = {
    "1 / cycle": lambda cycle: 1 / cycle,
    "1 / (1 + step / 1000)": lambda step: 1 / (1 + step / 1000),
}
OUR_NAMES = {"step_size_up": "step_size", "anneal_strategy": "anneal"}


def cases(scheduler):
    found = [case for case in REFERENCE["cases"] if case["scheduler"] == scheduler]
    return pytest.mark.parametrize("case", found, ids=lambda case: case["name"])


def ours(case):
    arguments = {OUR_NAMES.get(name, name): value for name, value in case["arguments"].items()}
    if "scale_fn" in arguments:
        arguments["scale_fn"] = SCALE_FNS[arguments["scale_fn"]]
    return np.array(case["steps"]), arguments


def assert_equal_to_rounding(values, expected):
    np.testing.assert_allclose(values, expected, rtol=1e-12, atol=0)


@cases("CyclicLR")
def test_cyclic_rate_and_momentum_are_pytorchs(case):
    steps, arguments = ours(case)
    assert_equal_to_rounding(Cyclic(**arguments)(steps), case["lr"])
    momentum = Cyclic(**arguments).momentum(steps, BASE_MOMENTUM, MAX_MOMENTUM)
    assert_equal_to_rounding(momentum, case["momentum"])


@cases("OneCycleLR")
def test_one_cycle_rate_and_momentum_are_pytorchs(case):
    steps, arguments = ours(case)
    assert_equal_to_rounding(OneCycle(**arguments)(steps), case["lr"])
    momentum = OneCycle(**arguments).momentum(steps, BASE_MOMENTUM, MAX_MOMENTUM)
    assert_equal_to_rounding(momentum, case["momentum"])


def test_reference_reaches_10_000_steps_and_says_how_it_was_made():
    assert all(case["steps"][-1] >= 9_998 for case in REFERENCE["cases"])
    assert "PyTorch 2." in REFERENCE["made_by"]
