"""What a type checker sees of the installed package."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import pyimagesearch_lr

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The package as `make wheel` builds it, from a copy: building leaves folders behind."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "pyimagesearch_lr", source / "pyimagesearch_lr")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", target, source], check=True, timeout=120)
    (path,) = target.glob("*.whl")
    return path


def checked(code: str, wheel: Path, folder: Path) -> str:
    """What mypy says about `code` where the package is installed from the wheel."""
    installed = folder / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    (folder / "code.py").write_text(code)
    command = [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", "code.py"]
    environment = {"MYPYPATH": str(installed), "PATH": ""}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    return done.stdout


def test_wheel_says_that_it_is_typed_and_holds_the_sample(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {"pyimagesearch_lr/py.typed", "pyimagesearch_lr/pipeline/fashion_mnist_sample.npz"} <= set(names)


@pytest.mark.slow
def test_every_public_name_has_its_type(wheel, tmp_path):
    names = pyimagesearch_lr.__all__
    lines = [f"from pyimagesearch_lr import {', '.join(names)}", *(f"reveal_type({name})" for name in names)]
    seen = checked("\n".join(lines) + "\n", wheel, tmp_path).splitlines()
    revealed = [line for line in seen if "Revealed type is" in line]
    assert len(revealed) == len(names)
    for name, line in zip(names, revealed, strict=True):
        kind = line.split("Revealed type is")[1].strip(' "')
        is_class = isinstance(getattr(pyimagesearch_lr, name), type)
        assert (name if is_class else "def (") in kind, line
        assert not kind.startswith("def (*Any"), line
        assert not kind.endswith("-> Any"), line


@pytest.mark.slow
def test_wrong_argument_is_seen_where_it_is_written(wheel, tmp_path):
    lines = [
        "from pyimagesearch_lr import LRCurve",
        "LRCurve.load(3)",
        "LRCurve.load('a').suggest().max_lr + ''",
    ]
    said = checked("\n".join(lines) + "\n", wheel, tmp_path)
    assert 'code.py:2: error: Argument 1 to "load" of "LRCurve" has incompatible type "int"' in said
    assert "code.py:3: error: Unsupported operand types" in said
