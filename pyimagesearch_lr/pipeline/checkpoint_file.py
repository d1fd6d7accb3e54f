"""The file of an unfinished training: written to survive, checked before it is trusted. NumPy only."""

from __future__ import annotations

import hashlib
import json
import math
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from pyimagesearch_lr.files import sync, written_whole

FORMAT = "pyimagesearch_lr.checkpoint/2"
DOCUMENT = "document"
VARIABLE, STEP = "variable/", "step/"
IMAGES = "the images"  # the setting that has their fingerprint


class UnusableCheckpoint(ValueError):  # noqa: N818 - the name says what it is
    """A checkpoint that cannot be read or trusted: one line with the file, what is wrong and what to do."""


@dataclass(frozen=True)
class Unfinished:
    """What an unfinished training left.

    Args:
        settings: Dict, the settings it was started with; "MAX_LR" is missing while its finder has not ended.
        logs: Dict of lists, one number per epoch.
        step_history: Dict of lists, one number per step.
        variables: List of arrays, the model's and the optimizer's variables; empty before the first epoch.
        names: List of strings, the names of those; None in files of version 0.1.0.
        passed_over: String, why a newer file was not used; None if there was none.
    """

    settings: dict[str, Any]
    logs: dict[str, list[float]]
    step_history: dict[str, list[float]]
    variables: list[np.ndarray]
    names: list[str] | None = None
    passed_over: str | None = None

    @property
    def epochs_done(self) -> int:
        """How many epochs are finished."""
        return len(self.logs.get("seconds", []))

    def differences(self, settings: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        """The settings that are not what they were: see `differences`."""
        return differences(self.settings, settings)


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The settings that are not what they were: name to the value then and now.

    Settings that only one of the two has are ignored, as versions differ in what they have.

    Example:

    >>> differences({"SEED": 1, "RECIPE": "short"}, {"SEED": 2, "RECIPE": "short"})
    {'SEED': (1, 2)}
    """
    names = sorted(before.keys() & now.keys())
    pairs = {name: (before[name], now[name]) for name in names}
    return {name: (then, value) for name, (then, value) in pairs.items() if then != value}


def previous(path: str | os.PathLike) -> Path:
    """Where the checkpoint before the last is kept."""
    path = Path(path)
    return path.with_name(f"{path.stem}-previous{path.suffix}")


def save(
    path: str | os.PathLike,
    settings: Mapping[str, Any],
    logs: Mapping[str, list[float]] | None = None,
    step_history: Mapping[str, list[float]] | None = None,
    variables: Sequence[tuple[str, np.ndarray]] = (),
) -> None:
    """Write what an unfinished training has so far; the file that was there stays as the previous one.

    Args:
        path: Path of the file, which ends in ".npz".
        settings: Dict, JSON-serialisable.
        logs: Dict of lists, one number per epoch.
        step_history: Dict of lists, one number per step.
        variables: Sequence of pairs, the name and the array of each variable.

    Raises:
        OSError: If the file cannot be written; the one that was there is still whole.
    """
    path = Path(path)
    arrays = {f"{VARIABLE}{number}": array for number, (_, array) in enumerate(variables)}
    arrays |= {
        f"{STEP}{name}": np.asarray(values, np.float64) for name, values in (step_history or {}).items()
    }
    document = {
        "format": FORMAT,
        "settings": dict(settings),
        "logs": dict(logs or {}),
        "step_history": list(step_history or {}),
        "names": [name for name, _ in variables],
        "sha256": {name: _sha256(array) for name, array in arrays.items()},
    }
    contents: dict[str, Any] = {DOCUMENT: np.array(json.dumps(document)), **arrays}
    with written_whole(path) as temporary:
        file = BytesIO()  # an archive that cannot be written to the disk would complain once more as it goes
        np.savez(file, **contents)
        temporary.write_bytes(
            file.getvalue()
        )  # a view of it in the traceback of an error crashes Python 3.12
        sync(temporary)  # before the old one is moved away
        if path.exists():
            path.replace(previous(path))


def begin(path: str | os.PathLike, settings: Mapping[str, Any]) -> None:
    """Write that a training with these settings has begun, replacing whatever was there."""
    save(path, settings)
    previous(path).unlink(missing_ok=True)


def load(path: str | os.PathLike) -> Unfinished | None:
    """Read what an unfinished training left; the previous file if the last one is damaged or missing.

    Nothing is unpacked before the declared sizes are known to fit the file, and every array is compared with
    its checksum.

    Raises:
        UnusableCheckpoint: If there are files, and none of them can be trusted.
        OSError: If it cannot be read.
    """
    reasons = []
    for file in (Path(path), previous(path)):
        if not file.exists():
            continue
        content = file.read_bytes()  # raises if it cannot be read: that is not damage
        try:
            unfinished = _read(content)
        except Exception as error:  # whatever a damaged file makes the readers raise
            reasons.append(f"{file} is damaged ({_reason(error)})")
            continue
        passed_over = f"{reasons[0]}, so the one before it is used" if reasons else None
        return Unfinished(**{**vars(unfinished), "passed_over": passed_over})
    if reasons:
        raise UnusableCheckpoint(f"{' and '.join(reasons)}: start over with --restart.")
    return None


def make_last(path: str | os.PathLike) -> None:
    """Make the previous file, which was used, the last one: a damaged one must not come before it."""
    previous(path).replace(path)


def discard(path: str | os.PathLike) -> None:
    """Remove both files, the older one first: the training is finished, or starts over."""
    for file in (previous(path), Path(path)):
        file.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _sha256(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def _read(content: bytes) -> Unfinished:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        _check_sizes(archive, len(content))
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        document = json.loads(str(_array(archive, DOCUMENT)))
        arrays = {name: _array(archive, name) for name in names if name != DOCUMENT}
    return _checked(document, arrays)


def _check_sizes(archive: zipfile.ZipFile, size: int) -> None:
    """Raise if more is declared than the file holds: `np.savez` does not compress."""
    members = archive.infolist()
    if len({member.filename for member in members}) < len(members):
        raise ValueError("it has the same name twice")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("it is compressed, and no checkpoint is")
    declared = sum(max(member.file_size, member.compress_size) for member in members)
    if declared > size:
        raise ValueError(f"it declares {declared:,} bytes and has {size:,}")


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """The array with that name, made only if its header and its bytes agree."""
    content = archive.read(f"{name}.npy")
    stream = BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version not in HEADERS:
        raise ValueError(f"{name} is in the unknown format {version}")
    shape, _, dtype = HEADERS[version](stream)
    if dtype.hasobject or dtype.itemsize * math.prod(shape) != len(content) - stream.tell():
        raise ValueError(f"{name} has a header that does not fit its bytes")
    stream.seek(0)
    return np.lib.format.read_array(stream, allow_pickle=False)


HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def _checked(document: Any, arrays: dict[str, np.ndarray]) -> Unfinished:
    """What the parts of a file say, if they agree with each other."""
    variables = [name for name in arrays if name.startswith(VARIABLE)]
    if variables != [f"{VARIABLE}{number}" for number in range(len(variables))]:
        raise ValueError("a variable is missing")
    steps = [f"{STEP}{name}" for name in _strings(document["step_history"])]
    if arrays.keys() != {*variables, *steps}:
        raise ValueError("its arrays are not those that it lists")
    known = document["sha256"] if "format" in document else {name: _sha256(arrays[name]) for name in arrays}
    if document.get("format", FORMAT) != FORMAT or known.keys() != arrays.keys():
        raise ValueError(f"its format is {document.get('format')!r}, and {FORMAT!r} is expected")
    for name, array in arrays.items():
        if known[name] != _sha256(array):
            raise ValueError(f"the checksum of {name} is wrong")
        if array.dtype.kind not in "fiub" or not np.isfinite(array).all():
            raise ValueError(f"{name} has values that are not finite numbers")
    if any(arrays[name].ndim != 1 for name in steps):
        raise ValueError("a history of its steps is not a list")
    names = _strings(document["names"]) if "format" in document else None
    if names is not None and len(names) != len(variables):
        raise ValueError("its variables are not those that it names")
    settings = document["settings"]
    if not isinstance(settings, dict):
        raise TypeError("its settings are not a dict")
    return Unfinished(
        settings=settings,
        logs=_logs(document["logs"]),
        step_history={name: arrays[f"{STEP}{name}"].tolist() for name in document["step_history"]},
        variables=[arrays[name] for name in variables],
        names=names,
    )


def _strings(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TypeError("its names are not a list of strings")
    return value


def _logs(value: Any) -> dict[str, list[float]]:
    """The history of the epochs: lists of numbers, one number per finished epoch."""
    if not isinstance(value, dict) or not all(isinstance(each, list) for each in value.values()):
        raise TypeError("its history is not a dict of lists")
    logs = {name: [float(number) for number in numbers] for name, numbers in value.items()}
    lengths = {len(numbers) for numbers in logs.values()}
    if len(lengths) > 1 or (logs and "seconds" not in logs):
        raise ValueError("its history has rows of unequal length")
    return logs
