"""One run a folder."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import textwrap

import pytest

from pyimagesearch_lr.pipeline import lock
from pyimagesearch_lr.pipeline.plan import SettingError

HOLDER = textwrap.dedent(
    """
    import sys
    from pyimagesearch_lr.pipeline import lock
    with lock.held(sys.argv[1]):
        print("held", flush=True)
        sys.stdin.read()
    """
)


@pytest.fixture
def holder(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_lock_leaves_nothing(tmp_path):
    with lock.held(tmp_path):
        assert os.listdir(tmp_path) == [lock.NAME]
    assert os.listdir(tmp_path) == []


def test_second_run_is_told_who_is_there(tmp_path, holder):
    with pytest.raises(SettingError) as error, lock.held(tmp_path):
        pass
    message = str(error.value)
    assert f"is in use by process {holder.pid} on {platform.node()}, since 20" in message
    assert "\n" not in message


def test_killed_process_holds_nothing(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert os.listdir(tmp_path) == [lock.NAME]
    with lock.held(tmp_path):
        pass
    assert os.listdir(tmp_path) == []


def test_one_run_after_another(tmp_path, holder):
    holder.stdin.close()
    assert holder.wait() == 0
    with lock.held(tmp_path):
        pass


def test_file_that_was_removed_under_a_waiting_run_is_no_lock(tmp_path, monkeypatch):
    """A run opens the file, its holder ends and removes it: the lock of the removed file is worth nothing."""
    real, removed = lock._locked, []

    def locked(file, path):
        if not removed:
            removed.append(path.unlink())
        return real(file, path)

    monkeypatch.setattr(lock, "_locked", locked)
    with lock.held(tmp_path):
        assert os.listdir(tmp_path) == [lock.NAME]
        with pytest.raises(SettingError, match="is in use by"), lock.held(tmp_path):
            pass


def test_system_without_locks_is_told_and_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lock, "fcntl", None)
    with lock.held(tmp_path):
        pass
    assert "this system has no file locks" in capsys.readouterr().out
