"""Seconds of `make quick`, as a whole process, with everything installed.

    python scripts/bench_commands.py    # about four minutes on two cores

Writes scripts/bench_commands.json beside itself, with every run. Run nothing else meanwhile.
"""

import subprocess
import time
from pathlib import Path

from benchmarks import keep

JSON = Path(__file__).with_suffix(".json")
ROOT = JSON.parents[1]
RUNS = {"quick": 3}


def main() -> None:
    for name, count in RUNS.items():
        seconds = []
        for _ in range(count):
            started = time.perf_counter()
            subprocess.run(["make", name], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            seconds.append(round(time.perf_counter() - started, 1))
            print(f"make {name}: {seconds[-1]} s", flush=True)
        keep(JSON, name, {"seconds": seconds})


if __name__ == "__main__":
    main()
