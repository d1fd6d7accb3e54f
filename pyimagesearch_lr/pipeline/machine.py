"""What this machine computes with, and in which precision it is fastest, decided once."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyimagesearch_lr.pipeline.plan import SettingError
from pyimagesearch_lr.pipeline.terminal import muted_stderr

BFLOAT16_FLAGS = ("amx_bf16", "avx512_bf16")
MEMORY_LIMITS = (  # of the control group that a container runs in
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)


def load_libraries() -> None:
    """Import TensorFlow without the notices that its C++ libraries write to standard error.

    Figures go to files only, whatever window or notebook `MPLBACKEND` asks for.
    """
    import matplotlib

    matplotlib.use("agg")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with muted_stderr(), suppress(ModuleNotFoundError):  # other backends load a model without it
        import tensorflow as tf

        tf.config.list_physical_devices()


def require_tensorflow() -> None:
    """Raise unless TensorFlow is installed: images for training are read with it on every backend.

    Raises:
        SettingError: If it is not.
    """
    try:
        import tensorflow as tf  # noqa: F401
    except ModuleNotFoundError as error:
        raise SettingError(
            "TensorFlow is not installed, and images are read with it, whatever Keras's backend is: "
            "`pip install tensorflow`."
        ) from error


def dtype_policy(wanted: str = "auto", cpu_info: str | Path = "/proc/cpuinfo") -> tuple[str, str]:
    """The Keras dtype policy to use and the reason, to be shown to the user.

    Args:
        wanted: String, "auto" or the name of a policy, which is then used as it is.
        cpu_info: Path of the file in which the kernel lists the processor's flags.

    Returns:
        Tuple of strings, the policy's name and the reason.

    Example:

    >>> dtype_policy("float32")
    ('float32', 'set by DTYPE_POLICY')
    """
    if wanted != "auto":
        return wanted, "set by DTYPE_POLICY"
    backend = _backend()
    if backend != "tensorflow":
        return "float32", f"lower precisions are tested on TensorFlow, and the backend is {backend}"
    if _has_gpu():
        return "mixed_float16", "there is a GPU"
    path = Path(cpu_info)
    if not path.exists():
        return "float32", "this system does not list its processor's features"
    flags = path.read_text(encoding="utf-8").split()
    for flag in BFLOAT16_FLAGS:
        if flag in flags:
            return "mixed_bfloat16", f"the processor has {flag}"
    return "float32", "the processor has no bfloat16 units"


def execution(model: Any) -> str:
    """How a compiled model will run here, in words: kernels, XLA, threads, steps per execution.

    Args:
        model: A compiled `keras.Model`.
    """
    steps = model.steps_per_execution
    each = "1 step per execution (each has its own rate)" if steps == 1 else f"{steps} steps per execution"
    backend = _backend()
    if backend != "tensorflow":
        return f"{backend} backend, {each}"
    import tensorflow as tf

    threads = tf.config.threading.get_intra_op_parallelism_threads() or processors()
    xla = "XLA" if model.jit_compile else "no XLA (it gains only on a GPU)"
    return f"fused batch normalisation, {xla}, {threads} thread{'s' * (threads > 1)}, {each}"


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int | None:
    """The bytes of memory that this process may use at most; None where the system does not say."""
    found = []
    with suppress(ValueError, OSError, AttributeError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in MEMORY_LIMITS:
        with suppress(ValueError, OSError):  # "max" is not a number: there is no limit
            found.append(int(Path(path).read_text(encoding="ascii")))
    return min((each for each in found if each > 0), default=None)


def _backend() -> str:
    import keras

    return keras.backend.backend()


def _has_gpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
