"""The file of an unfinished training: what is written is read again, and nothing else is believed."""

from __future__ import annotations

import io
import json
import os
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pyimagesearch_lr.pipeline import checkpoint_file
from pyimagesearch_lr.pipeline.checkpoint_file import UnusableCheckpoint

SETTINGS = {"MAX_LR": 0.1, "SEED": 1}
LOGS = {"loss": [2.0, 1.0], "seconds": [0.5, 0.25]}
STEPS = {"lr": [0.1, 0.2, 0.3]}
VARIABLES = [
    ("dense/kernel", np.arange(6, dtype=np.float32).reshape(2, 3)),
    ("dropout/seed", np.array([1, 2], np.uint32)),
    ("sgd/iteration", np.array(7, np.int64)),
]


def saved(folder: Path, **changes) -> Path:
    path = folder / "checkpoint.npz"
    checkpoint_file.save(
        path, **{"settings": SETTINGS, "logs": LOGS, "step_history": STEPS, "variables": VARIABLES, **changes}
    )
    return path


def rewritten(path: Path, compression: int = zipfile.ZIP_STORED, **members: bytes | None) -> None:
    """The same archive with other members; None leaves one out."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content |= {name.replace("__", "/") + ".npy": value for name, value in members.items()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, value in content.items():
            if value is not None:
                archive.writestr(name, value)


def npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()


def document_of(path: Path) -> dict:
    with np.load(path) as archive:
        return json.loads(str(archive["document"]))


def with_document(path: Path, **changes) -> None:
    document = {**document_of(path), **changes}
    rewritten(path, document=npy(np.array(json.dumps(document))))


def test_what_is_written_is_read_again(tmp_path):
    unfinished = checkpoint_file.load(saved(tmp_path))
    assert unfinished is not None
    assert (unfinished.settings, unfinished.logs, unfinished.step_history) == (SETTINGS, LOGS, STEPS)
    assert unfinished.names == [name for name, _ in VARIABLES]
    assert unfinished.epochs_done == 2
    assert unfinished.passed_over is None
    for (_, expected), got in zip(VARIABLES, unfinished.variables, strict=True):
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)


def test_nothing_is_none(tmp_path):
    assert checkpoint_file.load(tmp_path / "checkpoint.npz") is None


def test_the_one_before_stays_and_is_taken_where_the_last_is_damaged_or_gone(tmp_path):
    path = saved(tmp_path, logs={"loss": [2.0], "seconds": [0.5]})
    saved(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["checkpoint-previous.npz", "checkpoint.npz"]
    path.write_bytes(path.read_bytes()[:-30])
    unfinished = checkpoint_file.load(path)
    assert unfinished.epochs_done == 1
    assert unfinished.passed_over.startswith(f"{path} is damaged (")
    assert unfinished.passed_over.endswith("), so the one before it is used")
    path.unlink()
    assert checkpoint_file.load(path).epochs_done == 1


def test_both_damaged_is_one_line_with_both_files_and_the_way_out(tmp_path):
    path = saved(tmp_path)
    saved(tmp_path)
    for file in (path, checkpoint_file.previous(path)):
        file.write_bytes(b"")
    with pytest.raises(UnusableCheckpoint) as error:
        checkpoint_file.load(path)
    message = str(error.value)
    assert message.count("is damaged (") == 2
    assert str(path) in message
    assert str(checkpoint_file.previous(path)) in message
    assert message.endswith(": start over with --restart.")
    assert "\n" not in message


def test_discard_removes_both(tmp_path):
    path = saved(tmp_path)
    saved(tmp_path)
    checkpoint_file.discard(path)
    checkpoint_file.discard(path)
    assert os.listdir(tmp_path) == []


def test_full_disk_leaves_the_last_one(tmp_path, monkeypatch):
    path = saved(tmp_path)
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left") as error:
        saved(tmp_path)
    assert error.value.filename == str(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["checkpoint.npz"]


def test_file_and_folder_are_synced_before_and_after_it_takes_its_place(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, Path.replace

    def synced(handle):
        events.append(os.readlink(f"/proc/self/fd/{handle}"))
        fsync(handle)

    def replaced(source, target):
        events.append(f"replace {Path(target).name}")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    path = saved(tmp_path)
    temporary = str(tmp_path / f".partial-{os.getpid()}-checkpoint.npz")
    assert events == [temporary, temporary, "replace checkpoint.npz", str(path.parent)]
    events.clear()
    saved(tmp_path)  # the one that was there gives up its place when the next is on the disk
    places = ["replace checkpoint-previous.npz", "replace checkpoint.npz"]
    assert [event for event in events if event in (temporary, *places)] == [
        temporary,
        places[0],
        temporary,
        places[1],
    ]


def test_damaged_last_one_does_not_take_the_place_of_the_good_one(tmp_path):
    path = saved(tmp_path, logs={"loss": [2.0], "seconds": [0.5]})
    saved(tmp_path)
    path.write_bytes(b"damaged")
    assert checkpoint_file.load(path).epochs_done == 1
    checkpoint_file.make_last(path)
    saved(tmp_path)
    assert checkpoint_file.load(path).epochs_done == 2
    path.write_bytes(b"damaged again")
    assert checkpoint_file.load(path).epochs_done == 1


def test_file_that_cannot_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    path = saved(tmp_path)

    def refused(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(PermissionError):
        checkpoint_file.load(path)


def damaged(path: Path) -> str:
    with pytest.raises(UnusableCheckpoint) as error:
        checkpoint_file.load(path)
    return str(error.value)


def test_compressed_file_is_not_unpacked(tmp_path):
    path = saved(tmp_path)
    rewritten(path, zipfile.ZIP_DEFLATED, variable__3=npy(np.zeros(10**6)))
    assert "it is compressed, and no checkpoint is" in damaged(path)


def test_header_that_asks_for_more_than_is_there_makes_no_array(tmp_path):
    path = saved(tmp_path)
    content = npy(np.zeros(4, np.float32)).replace(b"(4,), }", b"(10**9,)")
    rewritten(path, variable__0=content)
    assert "is damaged (" in damaged(path)
    content = npy(np.zeros(4, np.float32)).replace(b"(4,), }       ", b"(1000000000,)}")
    rewritten(path, variable__0=content)
    assert "variable/0 has a header that does not fit its bytes" in damaged(path)


def test_pickled_array_is_refused_without_being_read(tmp_path):
    path = saved(tmp_path)
    content = io.BytesIO()
    np.save(content, np.array([print], dtype=object), allow_pickle=True)
    rewritten(path, variable__0=content.getvalue())
    assert "variable/0 has a header that does not fit its bytes" in damaged(path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"variable__1": None}, "a variable is missing"),
        ({"step__lr": None}, "its arrays are not those that it lists"),
        ({"step__other": npy(np.zeros(3))}, "its arrays are not those that it lists"),
        ({"variable__0": npy(np.zeros((2, 3), np.float32))}, "the checksum of variable/0 is wrong"),
        ({"document": None}, "KeyError"),
        ({"document": npy(np.array("no json"))}, "JSONDecodeError"),
        ({"document": npy(np.array("[" * 100_000))}, "RecursionError"),
        ({"document": npy(np.array("[]"))}, "TypeError"),
    ],
)
def test_what_is_missing_or_changed_is_named(tmp_path, changes, reason):
    path = saved(tmp_path)
    rewritten(path, **changes)
    assert reason in damaged(path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"logs": {"loss": [1.0], "seconds": [1.0, 2.0]}}, "rows of unequal length"),
        ({"logs": {"loss": [1.0]}}, "rows of unequal length"),
        ({"logs": [1.0]}, "its history is not a dict of lists"),
        ({"logs": {"seconds": "12"}}, "its history is not a dict of lists"),
        ({"settings": 3}, "its settings are not a dict"),
        ({"names": ["a"]}, "its variables are not those that it names"),
        ({"names": [1, 2, 3]}, "its names are not a list of strings"),
        ({"format": "later/3"}, "its format is 'later/3'"),
        ({"sha256": {}}, "its format is"),
    ],
)
def test_document_that_contradicts_the_arrays_is_named(tmp_path, changes, reason):
    path = saved(tmp_path)
    with_document(path, **changes)
    assert reason in damaged(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_finite_numbers_are_damage(tmp_path, value):
    path = saved(tmp_path, variables=[("kernel", np.array([1.0, value]))])
    assert "variable/0 has values that are not finite numbers" in damaged(path)


@pytest.mark.parametrize("seed", range(4))
def test_mutated_file_is_one_line_or_the_same(tmp_path, seed):
    """Bytes changed, cut out, doubled: never another exception, never another value."""
    path = saved(tmp_path)
    whole = path.read_bytes()
    expected = checkpoint_file.load(path)
    rng = random.Random(seed)
    for _ in range(int(os.environ.get("MUTATIONS", "600")) // 4):
        content = bytearray(whole)
        for _ in range(rng.choice((1, 1, 3, 20))):
            place, length = rng.randrange(len(content)), rng.choice((1, 4, 64))
            how = rng.randrange(3)
            if how == 0:
                content[place : place + length] = rng.randbytes(length)
            elif how == 1:
                del content[place : place + length]
            else:
                content[place:place] = content[place : place + length]
        path.write_bytes(content)
        try:
            got = checkpoint_file.load(path)
        except UnusableCheckpoint as error:
            assert "\n" not in str(error)
            continue
        assert (got.settings, got.logs, got.step_history) == (SETTINGS, LOGS, STEPS)
        for before, now in zip(expected.variables, got.variables, strict=True):
            np.testing.assert_array_equal(now, before)


def test_differences_are_those_of_settings_that_both_know(tmp_path):
    unfinished = checkpoint_file.load(saved(tmp_path))
    assert unfinished.differences({"MAX_LR": 0.2, "SEED": 1, "NEW": 3}) == {"MAX_LR": (0.1, 0.2)}
