"""What every test starts from: no screen, a quiet TensorFlow, no figure left open, Ctrl-C that works."""

import os
import signal
import sys

import pytest

os.environ["MPLBACKEND"] = "Agg"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what runs in the background
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup` ignores it, and so would the programs under test


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def jax_environment():
    """The environment of a process that runs Keras on JAX and finds what this one imports."""
    pytest.importorskip("jax")
    paths = os.pathsep.join(path for path in sys.path if path)
    return {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": paths}
