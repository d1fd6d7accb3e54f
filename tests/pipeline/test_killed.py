"""Killed at any moment, a run that is resumed ends as if nothing had been.

    KILLS=200 python -m pytest tests/pipeline/test_killed.py     # what `make soak` does

The moments are drawn uniformly over the time of an undisturbed run, from a seed that the test prints
(`KILLS_SEED` sets it); then every phase is killed until it was hit twice, at a moment drawn over its length.
"""

from __future__ import annotations

import json
import os
import random
import re
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest

from pyimagesearch_lr import LRCurve

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("tiny_pipeline.py")
PHASES = ("start", "sweep", "probes", "epochs", "checkpoint", "evaluation", "report")
EPOCHS, STEPS_OF_EPOCH = 8, 20
NOT_THE_SAME = ("seconds", "finished")


@dataclass
class Attempt:
    """How a process went: its exit code, and when it entered each phase, in seconds from its start."""

    code: int
    phases: list[tuple[float, str]]
    seconds: float
    output: str

    def length_of(self, name: str) -> float:
        """The time that the first visit to a phase took."""
        begins = [index for index, (_, phase) in enumerate(self.phases) if phase == name]
        times = [*(moment for moment, _ in self.phases), self.seconds]
        return times[begins[0] + 1] - times[begins[0]]


def attempt(
    folder: Path,
    *options: str,
    kill_after: float | None = None,
    kill_in: str | None = None,
    program: Path = PROGRAM,
) -> Attempt:
    """Run the program; kill it that long after its start, or after it has entered a phase."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, str(program), "--auto", *options],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    deadline = None if kill_in is not None or kill_after is None else started + kill_after
    phases, text, open_end = [], "", True
    while open_end:
        left = None if deadline is None else max(0.0, deadline - time.perf_counter())
        if not select.select([process.stdout], [], [], left)[0]:
            process.send_signal(signal.SIGKILL)
            break
        chunk = os.read(process.stdout.fileno(), 65536).decode()
        now, open_end, begun = time.perf_counter(), bool(chunk), text.rpartition("\n")[2]
        text += chunk
        for line in (begun + chunk).splitlines():
            if line.startswith("PHASE ") and (begun + chunk).endswith("\n"):
                phases.append((now - started, line.removeprefix("PHASE ")))
                if deadline is None and phases[-1][1] == kill_in:
                    deadline = now + (kill_after or 0.0)
    code = process.wait()
    process.stdout.close()
    return Attempt(code, phases, time.perf_counter() - started, text)


@dataclass
class Result:
    """What a finished run left, to the bit."""

    variables: list[np.ndarray]
    training: dict
    curve: LRCurve
    rates: bytes  # the plot of the rate of every step

    @classmethod
    def of(cls, output: Path) -> Result:
        model = keras.models.load_model(output / "model.keras")
        variables = [np.asarray(each) for each in (*model.weights, *model.optimizer.variables)]
        training = json.loads((output / "training.json").read_text())
        curve = LRCurve.load(output / "lrfind.json")
        assert '<section id="training">' in (output / "report.html").read_text()
        return cls(variables, training, curve, (output / "clr_plot.png").read_bytes())

    def assert_same(self, other: Result) -> None:
        for got, expected in zip(self.variables, other.variables, strict=True):
            np.testing.assert_array_equal(got, expected)
        mine, others = ({**each.training["history"]} for each in (self, other))
        for name in NOT_THE_SAME:
            mine.pop(name, None), others.pop(name, None)
        assert mine == others
        assert self.training["settings"] == other.training["settings"]  # the bounds among them
        assert self.training["confusion_matrix"] == other.training["confusion_matrix"]
        np.testing.assert_array_equal(self.curve.raw_losses, other.curve.raw_losses)
        np.testing.assert_array_equal(self.curve.lrs, other.curve.lrs)
        assert self.curve.probes == other.curve.probes
        assert self.rates == other.rates


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[Attempt, Result]:
    folder = tmp_path_factory.mktemp("undisturbed")
    done = attempt(folder)
    assert done.code == 0, done.output
    result = Result.of(folder / "output")
    return done, result


def killed_and_resumed(folder: Path, expected: Result, kills: list[tuple[float, str | None]]) -> list[str]:
    """Kill a run as often as asked, resume it each time, compare; return the phases that were hit."""
    folder.mkdir()
    hit = []
    for number, (moment, phase) in enumerate(kills):
        killed = attempt(folder, *(["--resume"] * (number > 0)), kill_after=moment, kill_in=phase)
        if killed.code == 0:
            break  # it was done before
        assert killed.code == -signal.SIGKILL, killed.output
        hit.append(killed.phases[-1][1] if killed.phases else "start")
    resumed = attempt(folder, "--resume")
    assert resumed.code == 0, resumed.output
    got = Result.of(folder / "output")
    got.assert_same(expected)
    steps = int(next(np.asarray(v) for v in got.variables if v.dtype.kind == "i" and v.ndim == 0))
    assert steps == EPOCHS * STEPS_OF_EPOCH  # each step exactly once
    leftovers = {name for name in os.listdir(folder / "output") if name.startswith((".", "checkpoint"))}
    assert leftovers == set()
    again = attempt(folder, "--resume")
    assert again.code == 0
    assert "this training is finished" in again.output
    Result.of(folder / "output").assert_same(expected)
    return hit


def test_killed_at_random_moments_and_resumed_is_as_if_undisturbed(undisturbed, tmp_path, capsys):
    done, expected = undisturbed
    count = int(os.environ.get("KILLS", "5"))
    seed = int(os.environ.get("KILLS_SEED", str(time.time_ns() % 10**6)))
    rng = random.Random(seed)
    hits: Counter[str] = Counter()
    with capsys.disabled():
        print(f"\nkilling {count} runs at moments drawn from KILLS_SEED={seed}")
    for number in range(count):
        kills = [(rng.uniform(0, done.seconds), None)]
        if number % 4 == 1:  # twice in a row in some
            kills.append((rng.uniform(0, done.seconds), None))
        hit = killed_and_resumed(tmp_path / str(number), expected, kills)
        hits.update(hit)
        with capsys.disabled():
            print(f"  {number}: {', '.join(f'{moment:.2f} s' for moment, _ in kills)}: {hit}")
    if count < 20:
        return
    for phase in PHASES:
        while hits[phase] < 2:
            moment = rng.uniform(0, done.length_of(phase))
            hit = killed_and_resumed(tmp_path / f"{phase}{hits.total()}", expected, [(moment, phase)])
            hits.update(hit)
            with capsys.disabled():
                print(f"  {phase} and {moment * 1000:.1f} ms: {hit}")


@pytest.mark.slow
def test_the_network_of_the_tutorial_killed_in_its_epochs_is_as_if_undisturbed(tmp_path, capsys):
    """`train.py --quick --auto` with MiniGoogLeNet, killed once while it trains."""
    program, output = ROOT / "train.py", Path("output/quick")
    seed = int(os.environ.get("KILLS_SEED", str(time.time_ns() % 10**6)))
    folders = [tmp_path / name for name in ("undisturbed", "killed")]
    for folder in folders:
        folder.mkdir()
    done = attempt(folders[0], "--quick", program=program)
    assert done.code == 0, done.output
    trained = json.loads((folders[0] / output / "training.json").read_text())["history"]["seconds"]
    moment = done.seconds - random.Random(seed).uniform(0, sum(trained[1:]))  # an epoch is finished
    killed = attempt(folders[1], "--quick", kill_after=moment, program=program)
    assert killed.code == -signal.SIGKILL, killed.output
    resumed = attempt(folders[1], "--quick", "--resume", program=program)
    assert resumed.code == 0, resumed.output
    begun = re.search(r"resuming after epoch (\d)", resumed.output)
    with capsys.disabled():
        print(f"\nKILLS_SEED={seed}: killed after {moment:.1f} of {done.seconds:.1f} s, {begun and begun[0]}")
    Result.of(folders[1] / output).assert_same(Result.of(folders[0] / output))
