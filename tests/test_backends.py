"""What is promised holds on every backend: the tests in tests/backends, in a process of each."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CALLS = """
import numpy as np, keras
from pyimagesearch_lr import LearningRateFinder, LRFinder, CyclicLR, OneCycleLR
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
x = np.ones((8, 2))
{call}
"""


def in_a_process(
    backend: str, *command: str, folder: Path = ROOT, first_path: Path = ROOT, timeout: int = 900
) -> subprocess.CompletedProcess:
    paths = os.pathsep.join([str(first_path), str(ROOT), *(path for path in sys.path if path)])
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": paths}
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def promises_hold(backend: str) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow"]
    run = in_a_process(backend, "-m", "pytest", *options, "tests/backends")
    assert run.returncode == 0, run.stdout[-4000:]


def test_promises_hold_on_jax():
    promises_hold("jax")


@pytest.mark.slow
def test_promises_hold_on_torch():
    promises_hold("torch")


def pipeline_ends_well(backend: str, folder: Path) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    run = in_a_process(backend, str(ROOT / "tests/pipeline/tiny_pipeline.py"), "--auto", folder=folder)
    assert run.returncode == 0, run.stderr[-4000:]
    assert f"{backend} backend, 1 step per execution" in run.stdout
    results = json.loads((folder / "output/training.json").read_text(encoding="utf-8"))
    assert len(results["history"]["loss"]) == 8
    assert results["settings"]["bounds_from"] == "the finder"


def test_pipeline_runs_on_jax(tmp_path):
    pipeline_ends_well("jax", tmp_path)


@pytest.mark.slow
def test_pipeline_runs_on_torch(tmp_path):
    pipeline_ends_well("torch", tmp_path)


def test_pipeline_without_tensorflow_is_a_line(tmp_path):
    hidden = tmp_path / "tensorflow.py"
    hidden.write_text("raise ModuleNotFoundError('No module named tensorflow', name='tensorflow')\n")
    run = in_a_process("jax", str(ROOT / "train.py"), "--quick", folder=tmp_path, first_path=tmp_path)
    assert run.returncode == 2
    assert run.stderr.strip().splitlines()[-1] == (
        "[ERROR] TensorFlow is not installed, and images are read with it, whatever Keras's backend is: "
        "`pip install tensorflow`."
    )


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            "LearningRateFinder(model).find((x, x[:, :1]), 1e-4, 1.0, num_steps=8)",
            "RuntimeError: the numpy backend of Keras cannot train: set KERAS_BACKEND to one of "
            "('tensorflow', 'jax', 'torch').",
        ),
        (
            "model.fit(x, x[:, :1], callbacks=[CyclicLR(0.1, 0.3, 2)])",
            "NotImplementedError: fit not implemented for NumPy backend.",  # Keras's own
        ),
    ],
)
def test_backend_that_cannot_train_is_a_line(call, expected):
    pytest.importorskip("jax", reason="Keras's numpy backend imports JAX")
    run = in_a_process("numpy", "-c", CALLS.format(call=f'model.compile("sgd", "mse")\n{call}'))
    assert run.returncode != 0
    assert run.stderr.strip().splitlines()[-1] == expected


LIBRARY_ALONE = """
import importlib.util
import keras, numpy as np
import pyimagesearch_lr
assert importlib.util.find_spec("tensorflow") is None
public = [getattr(pyimagesearch_lr, name) for name in pyimagesearch_lr.__all__]
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
x = np.random.default_rng(0).normal(size=(640, 4)).astype("float32")
finder = pyimagesearch_lr.LearningRateFinder(model)
curve = finder.find((x, x.sum(axis=1)), 1e-5, 10.0, num_steps=100, verbose=0)
curve.plot().figure.savefig("curve.png")
clr = pyimagesearch_lr.CyclicLR(0.01, 0.1, 4)
model.fit(x, x.sum(axis=1), callbacks=[clr], verbose=0)
print(curve.suggest().method, len(clr.history["lr"]))
"""


@pytest.mark.slow
def test_the_documented_way_without_tensorflow_works(tmp_path):
    page = (ROOT / "docs/backends.md").read_text(encoding="utf-8")
    commands = page.partition("Without TensorFlow:")[2].partition("```bash\n")[2].partition("```")[0]
    commands = commands.replace("pyimagesearch-lr", str(ROOT)).replace("pip install", "bin/pip install -q")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path)], check=True)
    for command in commands.strip().splitlines():
        subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = subprocess.run(
        ["bin/python", "-c", LIBRARY_ALONE],
        cwd=tmp_path,
        env={**environment, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.split() == ["verified", "20"]
