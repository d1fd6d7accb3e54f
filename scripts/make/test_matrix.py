"""The tests on every Keras and every backend; the results go to docs/results/test_matrix.json.

    python scripts/make/test_matrix.py versions             # builds environments, runs the fast tests in each
    python scripts/make/test_matrix.py backends             # the tests of tests/backends, on all three
    python scripts/make/test_matrix.py versions --only 3.10 # one of them
    python scripts/make/test_matrix.py versions --all       # with the slow tests: hours

Environments are made in `.venvs`, once. A Python that a row asks for but that is missing is replaced by the
one that runs this, and the row says so. Results are written row by row, so it can be stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
JSON = ROOT / "docs/results/test_matrix.json"
ENVIRONMENTS = ROOT / ".venvs"
PACKAGES = (str(ROOT), "pytest", "pytest-xdist", "scipy", "hypothesis")  # the package brings its own
VERSIONS = {  # Keras: TensorFlow, Python
    "3.10": ("2.19", "3.11"),
    "3.12": ("2.20", "3.12"),
    "3.15": ("2.21", "3.13"),
}
BACKENDS = {"tensorflow": (), "jax": ("jax",), "torch": ("torch==2.13.0",)}
OUTCOMES = ("passed", "failed", "errors", "skipped", "xfailed")


def main(argv: list[str]) -> int:
    args = parsed(argv)
    rows = VERSIONS if args.what == "versions" else BACKENDS
    worst = 0
    for name in args.only or rows:
        row = of_version(name, args) if args.what == "versions" else of_backend(name, args)
        keep(args.what, name, row)
        print(json.dumps(row, indent=1), flush=True)
        worst = max(worst, row["exit_code"])
    return worst


def parsed(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("versions", "backends"))
    parser.add_argument("--only", nargs="*", help="which Keras versions, or which backends")
    parser.add_argument("--all", action="store_true", help="the slow tests, too")
    parser.add_argument("--tests", nargs="*", help="which files (default: all, or tests/backends)")
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args(argv)


def of_version(keras: str, args: argparse.Namespace) -> dict:
    """Every test in an environment of that Keras, with the TensorFlow and Python that go with it."""
    tensorflow, python = VERSIONS[keras]
    interpreter = environment(
        f"keras-{keras}", python, [f"keras=={keras}.*", f"tensorflow=={tensorflow}.*", *PACKAGES]
    )
    return tested(interpreter, "tensorflow", args.tests or ["tests"], args)


def of_backend(backend: str, args: argparse.Namespace) -> dict:
    """The tests of tests/backends in this environment, where it has the backend."""
    return tested(Path(sys.executable), backend, args.tests or ["tests/backends"], args)


def environment(name: str, python: str, requirements: list[str]) -> Path:
    """The interpreter of an environment, which is made if it does not exist."""
    folder = ENVIRONMENTS / name
    interpreter = folder / "bin/python"
    if not (folder / ".installed").exists():
        base = shutil.which(f"python{python}") or sys.executable
        subprocess.run([base, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([interpreter, "-m", "pip", "install", "--quiet", *requirements], check=True)
        (folder / ".installed").touch()
    return interpreter


def tested(interpreter: Path, backend: str, tests: list[str], args: argparse.Namespace) -> dict:
    """How these tests ended."""
    marks = [] if args.all else ["-m", "not slow"]
    options = ["-n", str(args.processes), "-p", "no:cacheprovider"]
    command = [interpreter, "-m", "pytest", *options, *marks, *tests]
    paths = {"KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    run = subprocess.run(
        [*command, "-o", "addopts=--strict-markers"],
        cwd=ROOT,
        env={**os.environ, **paths},
        capture_output=True,
        text=True,
        check=False,
    )
    summary = run.stdout.strip().splitlines()[-1] if run.stdout.strip() else ""
    counts = {kind: int(count) for count, kind in re.findall(r"(\d+) (\w+)", summary) if kind in OUTCOMES}
    failed = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if run.returncode:
        print("\n".join([*run.stdout.splitlines()[-200:], run.stderr[-2000:]]))
    return {
        **versions_of(interpreter, backend),
        "exit_code": run.returncode,
        **counts,
        "not_passed": [line.partition(" - ")[0] for line in failed],
        "tests": tests,
        "slow_tests": args.all,
        "seconds": round(time.perf_counter() - started),
        "commit": commit(),
        "date": date.today().isoformat(),
    }


def versions_of(interpreter: Path, backend: str) -> dict:
    code = (
        "import importlib.metadata as m, json, platform\n"
        "found = {d.metadata['Name']: d.version for d in m.distributions()}\n"
        "print(json.dumps({**found, 'python': platform.python_version()}))"
    )
    run = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, check=True)
    found = json.loads(run.stdout)
    wanted = ("python", "keras", backend, "numpy")
    return {"backend": backend, **{name: found[name] for name in wanted if name in found}}


def commit() -> str:
    described = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(described, capture_output=True, text=True, check=False).stdout.strip()


def keep(what: str, name: str, row: dict) -> None:
    document = json.loads(JSON.read_text(encoding="utf-8")) if JSON.exists() else {}
    document.setdefault(what, {})[name] = row
    document[what] = dict(sorted(document[what].items()))
    JSON.parent.mkdir(parents=True, exist_ok=True)
    JSON.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
