"""Seconds of README's shorter commands, each a whole process, with everything installed.

    python scripts/bench_commands.py          # make quick and make test; a quarter of an hour on two cores
    python scripts/bench_commands.py quick    # one of them; the rest of the JSON stays

Writes scripts/bench_commands.json beside itself, with every run. Run nothing else meanwhile.
"""

import subprocess
import sys
import time
from pathlib import Path

from benchmarks import keep

JSON = Path(__file__).with_suffix(".json")
ROOT = JSON.parents[1]
RUNS = {"quick": 3, "test": 2}


def main(names: list[str]) -> None:
    for name in names or RUNS:
        seconds = []
        for _ in range(RUNS[name]):
            started = time.perf_counter()
            subprocess.run(["make", name], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            seconds.append(round(time.perf_counter() - started, 1))
            print(f"make {name}: {seconds[-1]} s", flush=True)
        keep(JSON, name, {"seconds": seconds})


if __name__ == "__main__":
    main(sys.argv[1:])
