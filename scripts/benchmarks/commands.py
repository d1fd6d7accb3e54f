"""Seconds of `make quick`, as a whole process, with everything installed.

    python scripts/benchmarks/commands.py    # about four minutes on two cores

Writes scripts/benchmarks/commands.json beside itself, with every run. Run nothing else meanwhile.
"""

import subprocess
import time
from pathlib import Path

from measuring import ROOT, keep

JSON = Path(__file__).with_suffix(".json")
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
