"""The tests on every Keras and every backend; the results go to docs/results/test_matrix.json.

    python scripts/make/test_matrix.py versions             # builds environments, runs the fast tests in each
    python scripts/make/test_matrix.py backends             # the tests of tests/backends, on all three
    python scripts/make/test_matrix.py versions --only 3.10 # one of them
    python scripts/make/test_matrix.py everything           # every test, also the slow ones

Environments are made in `.venvs`, once. A Python that a row asks for but that is missing is replaced by the
one that runs this, and the row says so. Results are written row by row, so it can be stopped, and
the pages that show them are filled in; the tests' own output is shown as it comes.
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
from collections.abc import Callable, Iterable
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
EVERYTHING = ("tensorflow",)  # the backend of `make test-all`, whose tests start processes of the others
OUTCOMES = ("passed", "failed", "errors", "skipped", "xfailed")


def main(argv: list[str]) -> int:
    args = parsed(argv)
    rows, tested_row = KINDS[args.what]
    worst = 0
    for name in args.only or rows:
        row = tested_row(name, args)
        keep(args.what, name, row)
        print(json.dumps(row, indent=1), flush=True)
        worst = max(worst, row["exit_code"])
    return worst


def parsed(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=KINDS)
    parser.add_argument("--only", nargs="*", help="which Keras versions, or which backends")
    parser.add_argument("--tests", nargs="*", help="which files (default: all, or tests/backends)")
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args(argv)


def of_version(keras: str, args: argparse.Namespace) -> dict:
    """The fast tests in an environment of that Keras, with the TensorFlow and Python that go with it."""
    tensorflow, python = VERSIONS[keras]
    interpreter = environment(
        f"keras-{keras}", python, [f"keras=={keras}.*", f"tensorflow=={tensorflow}.*", *PACKAGES]
    )
    return tested(interpreter, "tensorflow", args.tests or ["tests"], args.processes)


def of_backend(backend: str, args: argparse.Namespace) -> dict:
    """Every test of tests/backends in this environment, which has the backend."""
    return tested(Path(sys.executable), backend, args.tests or ["tests/backends"], args.processes, slow=True)


def of_everything(backend: str, args: argparse.Namespace) -> dict:
    """Every test in this environment."""
    return tested(Path(sys.executable), backend, args.tests or ["tests"], args.processes, slow=True)


KINDS: dict[str, tuple[Iterable[str], Callable[[str, argparse.Namespace], dict]]] = {
    "versions": (VERSIONS, of_version),
    "backends": (BACKENDS, of_backend),
    "everything": (EVERYTHING, of_everything),
}


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


def tested(interpreter: Path, backend: str, tests: list[str], processes: int, slow: bool = False) -> dict:
    """How these tests ended."""
    marks = [] if slow else ["-m", "not slow"]
    options = ["-n", str(processes), "-p", "no:cacheprovider", "-o", "addopts=--strict-markers"]
    started = time.perf_counter()
    process = subprocess.Popen(
        [interpreter, "-m", "pytest", *options, *marks, *tests],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = []
    for line in process.stdout or ():
        print(line, end="", flush=True)
        lines.append(line.rstrip("\n"))
    exit_code = process.wait()
    counts = {
        kind: int(count)
        for count, kind in re.findall(r"(\d+) (\w+)", " ".join(lines[-1:]))
        if kind in OUTCOMES
    }
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return {
        **versions_of(interpreter, backend),
        "exit_code": exit_code,
        **counts,
        "not_passed": [line.partition(" - ")[0] for line in failed],
        "tests": tests,
        "slow_tests": slow,
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
    """The commit that is tested, "-dirty" if its code was changed; the pages of other rows may be."""
    git = ["git", "-C", str(ROOT)]
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", ":!docs"], check=False).returncode
    described = subprocess.run(
        [*git, "describe", "--always"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return f"{described}-dirty" if changed else described


def keep(what: str, name: str, row: dict) -> None:
    """Write the row, and the pages that show it: the tests of the next row compare them."""
    document = json.loads(JSON.read_text(encoding="utf-8")) if JSON.exists() else {}
    document.setdefault(what, {})[name] = row
    document[what] = dict(sorted(document[what].items()))
    JSON.parent.mkdir(parents=True, exist_ok=True)
    JSON.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    subprocess.run([sys.executable, ROOT / "scripts/make/update_pages.py"], check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
