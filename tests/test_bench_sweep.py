"""The benchmark of sweeps: times in turn, the callback written by hand, two versions beside each other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from models import logs_of_step

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "scripts" / "benchmarks"
SWEEP = FOLDER / "sweep.py"


@pytest.fixture(autouse=True)
def scripts_on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))


def test_sides_are_called_in_turn_and_the_warm_up_does_not_count():
    from measuring import in_turn

    calls: list[str] = []

    def side(name: str) -> float:
        calls.append(name)
        return float(len(calls))

    taken = in_turn({"a": partial(side, "a"), "b": partial(side, "b")}, rounds=2)
    assert "".join(calls) == "ababab"
    assert taken == {"a": [3, 5], "b": [4, 6]}


def test_ratio_is_that_of_the_pairs():
    from measuring import ratio

    assert ratio([2.0, 9.0, 4.0], [1.0, 3.0, 4.0]) == {"median": 2, "min": 1, "max": 3, "n": 3}


@pytest.mark.parametrize(
    ("value", "expected"), [(0.123456789, 0.12346), (float("nan"), "nan"), (float("-inf"), "-inf")]
)
def test_json_holds_five_digits_and_what_is_not_finite_as_a_string(value, expected):
    from measuring import rounded

    assert json.loads(json.dumps(rounded(value), allow_nan=False)) == expected


def test_results_are_kept_beside_those_of_other_names(tmp_path):
    from measuring import keep, kept

    path = tmp_path / "results.json"
    assert kept(path) == {}
    keep(path, "first", {"seconds": [1.0]})
    keep(path, "second", {"seconds": [2.0]})
    keep(path, "first", {"seconds": [3.0]})
    assert {name: result["seconds"] for name, result in kept(path).items()} == {"second": [2], "first": [3]}
    assert {"processor", "cores", "tensorflow", "keras", "date"} <= set(kept(path)["first"]["machine"])


def test_process_that_ends_before_its_answer_is_an_error():
    from measuring import TimedProcess

    process = TimedProcess([sys.executable, "-c", "print(float(input()) / 2, flush=True)"])
    assert process(3) == 1.5
    with pytest.raises(RuntimeError, match=r"ended with 0 at 4"):
        process(4)
    process.close()


def test_callback_by_hand_records_each_steps_own_loss_and_puts_all_back():
    from sweep import ByHand, dense

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(96, 12)).astype("float32"), rng.integers(0, 2, (96, 1)).astype("float32")
    model, twin = dense(), dense()
    twin.set_weights(model.get_weights())
    rates = [1e-4, 1e-3, 1e-2]
    expected = []
    for step, rate in enumerate(rates):
        batch = slice(32 * step, 32 * step + 32)
        twin.reset_metrics()
        twin.optimizer.learning_rate = rate
        expected.append(float(logs_of_step(twin, x[batch], y[batch])["loss"]))
    before = [*map(np.copy, model.get_weights()), float(model.optimizer.learning_rate)]

    by_hand = ByHand(rates)
    model.fit(x, y, batch_size=32, shuffle=False, callbacks=[by_hand], verbose=0)

    np.testing.assert_allclose([row["loss"] for row in by_hand.rows], expected, rtol=1e-6)
    after = [*model.get_weights(), float(model.optimizer.learning_rate)]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(new, old)
    assert int(model.optimizer.iterations) == 0


def run(*arguments: object, folder: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, SWEEP, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.slow
def test_another_version_is_timed_beside_this_one_and_a_quick_look_writes_nothing(tmp_path):
    before = SWEEP.with_suffix(".json").read_bytes()
    done = run("small", "--quick", "--against", ROOT, folder=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.partition("...\n")[2])
    for version in (result, result["against"]):
        assert set(version["seconds"]) == {"fit", "sweep", "leanest way", "usual way", "step alone"}
        (sweep,), (fit,) = version["seconds"]["sweep"], version["seconds"]["fit"]
        assert version["sweep_over_fit"]["median"] == pytest.approx(sweep / fit, abs=1e-4)
    assert SWEEP.with_suffix(".json").read_bytes() == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no-such",), "no section no-such; there are minigooglenet, small"),
        (("small", "--against", "nowhere"), "there is no folder pyimagesearch_lr in "),
    ],
)
def test_what_cannot_be_measured_is_named(arguments, message, tmp_path):
    done = run(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
