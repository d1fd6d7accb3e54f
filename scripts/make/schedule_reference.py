"""Write tests/torch_schedules.json: what PyTorch's `CyclicLR` and `OneCycleLR` set, step by step.

Run it with a Python that has PyTorch (`pip install torch`), from the project's folder; the tests that read
the file need none. Every case is run for STEPS steps; the file holds each turning point with its neighbours
and every EVERYth step.
"""

import json
import math
from pathlib import Path

import torch
from torch.optim.lr_scheduler import CyclicLR, OneCycleLR

STEPS, EVERY = 10_000, 101
TARGET = Path(__file__).resolve().parents[2] / "tests" / "torch_schedules.json"
SCALE_FNS = {
    "1 / cycle": lambda cycle: 1 / cycle,
    "1 / (1 + step / 1000)": lambda step: 1 / (1 + step / 1000),
}
CYCLE = {"base_lr": 1e-3, "max_lr": 6e-3, "step_size_up": 700}
CYCLIC = {
    "triangular": CYCLE,
    "triangular2": {**CYCLE, "mode": "triangular2"},
    "exp_range": {**CYCLE, "mode": "exp_range", "gamma": 0.9994},
    "asymmetric": {**CYCLE, "step_size_down": 1300},
    "asymmetric triangular2": {**CYCLE, "step_size_down": 150, "mode": "triangular2"},
    "asymmetric exp_range": {**CYCLE, "step_size_down": 333, "mode": "exp_range", "gamma": 0.9999},
    "scale_fn of the cycle": {**CYCLE, "scale_fn": "1 / cycle", "scale_mode": "cycle"},
    "scale_fn of the step": {**CYCLE, "scale_fn": "1 / (1 + step / 1000)", "scale_mode": "iterations"},
    "short cycles": {**CYCLE, "step_size_up": 3, "step_size_down": 2},
}
ONE = {"max_lr": 0.1, "total_steps": STEPS}
ONE_CYCLE = {
    "cos": ONE,
    "linear": {**ONE, "anneal_strategy": "linear"},
    "cos, three phases": {**ONE, "three_phase": True},
    "linear, three phases": {**ONE, "anneal_strategy": "linear", "three_phase": True},
    "short warm-up": {**ONE, "pct_start": 0.05, "div_factor": 10.0, "final_div_factor": 1e3},
    "no warm-up": {**ONE, "pct_start": 0.0, "anneal_strategy": "linear"},
    "warm-up only": {**ONE, "pct_start": 1.0},
    "peak between two steps": {**ONE, "total_steps": 9_999, "pct_start": 0.3333, "three_phase": True},
}


def values_of(scheduler_class, arguments):
    """The rate and the momentum that the optimizer has for each step."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    settings = {name: SCALE_FNS.get(value, value) for name, value in arguments.items()}
    scheduler = scheduler_class(optimizer, **settings, base_momentum=0.85, max_momentum=0.95)
    group = optimizer.param_groups[0]
    rows = [(group["lr"], group["momentum"])]
    while len(rows) < settings.get("total_steps", STEPS):
        optimizer.step()
        scheduler.step()
        rows.append((group["lr"], group["momentum"]))
    return rows


def turning_points(arguments):
    if "total_steps" in arguments:
        total, share = arguments["total_steps"], arguments.get("pct_start", 0.3)
        return [0, share * total - 1, 2 * share * total - 2, total - 1]
    up = arguments["step_size_up"]
    cycle = up + arguments.get("step_size_down", up)
    return [turn for start in range(0, STEPS, cycle) for turn in (start, start + up)]


def sampled(rows, turns):
    steps = {0, len(rows) - 1, *range(0, len(rows), EVERY)}
    for turn in turns if len(turns) < 50 else turns[:20] + turns[-20:]:
        steps |= {math.floor(turn) - 1, math.floor(turn), math.ceil(turn), math.ceil(turn) + 1}
    steps = sorted(step for step in steps if 0 <= step < len(rows))
    return {
        "steps": steps,
        "lr": [rows[step][0] for step in steps],
        "momentum": [rows[step][1] for step in steps],
    }


def main():
    cases = [
        {
            "scheduler": scheduler.__name__,
            "name": name,
            "arguments": arguments,
            **sampled(values_of(scheduler, arguments), turning_points(arguments)),
        }
        for scheduler, table in ((CyclicLR, CYCLIC), (OneCycleLR, ONE_CYCLE))
        for name, arguments in table.items()
    ]
    made = f"scripts/make/schedule_reference.py with PyTorch {torch.__version__}; momentum from 0.85 to 0.95"
    lines = ",\n".join(json.dumps(case) for case in cases)
    TARGET.write_text(f'{{"made_by": {json.dumps(made)}, "cases": [\n{lines}\n]}}\n', encoding="utf-8")
    print(f"{TARGET}: {len(cases)} cases, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
