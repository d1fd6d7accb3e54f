"""What the benchmarks share: the machine described, and results kept one by one in a JSON file."""

from __future__ import annotations

import json
import os
import platform
from datetime import date
from pathlib import Path

from pyimagesearch_lr.files import written_whole


def describe_machine() -> dict:
    """Processor, cores, versions and date, to stand beside what was measured."""
    import keras
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
        "date": date.today().isoformat(),
    }


def kept(path: Path) -> dict:
    """The results that are in the file, by name; none where it does not exist."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def keep(path: Path, name: str, result: dict, indent: int | None = 1) -> None:
    """Add a result to the file, or replace the one of that name; another process may add its own."""
    document = {**kept(path), name: {**result, "machine": describe_machine()}}
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(document, indent=indent) + "\n", encoding="utf-8")
