"""What the benchmarks share: times taken in turn, the machine described, results kept one by one in JSON."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import subprocess
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from pyimagesearch_lr.files import written_whole

if TYPE_CHECKING:
    import tensorflow as tf

ROOT = Path(__file__).resolve().parents[2]


# ---- times


def in_turn(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What every side returns (its seconds), called in turn `rounds` times after one warm-up each."""
    for side in sides.values():
        side()
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            taken[name].append(side())
    return taken


def ratio(over: list[float], under: list[float]) -> dict:
    """Median and range of the ratios of pairs that were measured one after the other."""
    pairs = [a / b for a, b in zip(over, under, strict=True)]
    return {
        "median": round(median(pairs), 4),
        "min": round(min(pairs), 4),
        "max": round(max(pairs), 4),
        "n": len(pairs),
    }


class TimedProcess:
    """A separate process that waits while others are timed: reads a line, does it, prints its seconds."""

    def __init__(self, command: list[str], **environment: str):
        # PASSIVE: threads of PyTorch that have nothing to do would take time from the others.
        environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", **environment}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def __call__(self, line: object) -> float:
        return float(self.ask(line))

    def ask(self, line: object) -> str:
        """The line that is printed in answer to this one."""
        with suppress(BrokenPipeError):  # it has ended, and gives no answer
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self._process.args} ended with {self._process.wait()} at {line!r}")
        return answer.rstrip("\n")

    def close(self) -> None:
        """Let it end: there are no more lines."""
        self._process.communicate()


def without_autotune(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same data; the thread that tunes its pipeline delays the end of some fits by a second."""
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def peak_kib() -> int:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


# ---- results


def one_of(sections: Collection[str]) -> Callable[[str], str]:
    """Reads the name of a section on the command line."""

    def checked(name: str) -> str:
        if name not in sections:
            raise argparse.ArgumentTypeError(f"no section {name}; there are {', '.join(sections)}")
        return name

    return checked


def rounded(value: float) -> float | str:
    """5 significant digits; NaN and infinity as strings that `float` reads, for JSON has neither."""
    return float(f"{value:.5g}") if math.isfinite(value) else str(float(value))


def describe_machine() -> dict:
    """Processor, cores, versions and date, to stand beside what was measured."""
    import keras
    import numpy as np
    import tensorflow as tf

    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "date": date.today().isoformat(),
    }


def kept(path: Path) -> dict:
    """The results that are in the file, by name; none if it does not exist."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def keep(path: Path, name: str, result: dict, indent: int | None = 1) -> None:
    """Add a result to the file, or replace the one of that name; another process may add its own."""
    document = {**kept(path), name: {**result, "machine": describe_machine()}}
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(document, indent=indent) + "\n", encoding="utf-8")
