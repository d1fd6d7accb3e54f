"""What cannot be written is one line; what was found or trained is printed and kept."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("tiny_pipeline.py")


def environment(**settings) -> dict[str, str]:
    paths = os.pathsep.join(path for path in sys.path if path)
    return {**os.environ, "PYTHONPATH": paths, "SETTINGS": json.dumps(settings)}


def start(folder: Path, *options: str, **popen) -> subprocess.Popen:
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment(), "cwd": folder}
    return subprocess.Popen([sys.executable, str(PROGRAM), *options], **{**settings, **popen})


def run(folder: Path, *options: str, **popen) -> tuple[int, str, str]:
    with start(folder, *options, **popen) as process:
        out, err = process.communicate()
    return process.returncode, out.decode(), err.decode()


def errors(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith("[ERROR]")]


def files_of_at_most(size: int):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_bounds_are_printed_where_nothing_can_be_saved(tmp_path):
    code, out, err = run(tmp_path, "--lr-find", "1", preexec_fn=files_of_at_most(2000))
    assert code == 2
    assert re.search(r"^MIN_LR = \S+\nMAX_LR = \S+$", out, re.MULTILINE)
    assert errors(err) == ["[ERROR] output/lrfind.json: File too large"]
    assert "Traceback" not in err
    assert os.listdir(tmp_path / "output") == []


def test_checkpoint_that_cannot_be_written_ends_the_run_in_a_line(tmp_path):
    code, _, err = run(tmp_path, preexec_fn=files_of_at_most(2000))
    assert code == 2
    assert errors(err) == ["[ERROR] output/checkpoint.npz: File too large"]
    assert "Traceback" not in err


def test_report_is_printed_and_the_training_kept_where_its_files_cannot_be_saved(tmp_path):
    # The checkpoints of the network of one layer are smaller than its plots and its model.
    code, out, err = run(tmp_path, preexec_fn=files_of_at_most(22_000))
    assert code == 2
    assert "ankle boot" in out
    assert re.search(r"test accuracy 0\.\d{4} after", out)
    assert len(errors(err)) == 1
    assert errors(err)[0].endswith(": File too large")
    assert "checkpoint.npz" in os.listdir(tmp_path / "output")
    code, out, _ = run(tmp_path, "--resume")
    assert code == 0
    assert "resuming after epoch 8" in out


def test_reader_that_is_gone_is_a_line_and_the_training_is_kept(tmp_path):
    with start(tmp_path) as process:
        line = b""
        while b"resuming after" not in line and b"Epoch 2/8" not in line:
            line = process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read().decode()
    assert process.returncode == 2
    assert len(errors(err)) == 1
    assert errors(err)[0] == "[ERROR] standard output: Broken pipe"
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    assert "checkpoint.npz" in os.listdir(tmp_path / "output")


@pytest.mark.parametrize("name", ["x" * 300, "\udc80"])
def test_folder_that_cannot_be_is_a_line(tmp_path, name):
    code, out, err = run(tmp_path, env=environment(OUTPUT_DIR=name))
    assert (code, len(errors(err))) == (2, 1)
    assert "[INFO]" not in out
    assert errors(err)[0].startswith("[ERROR] OUTPUT_DIR = ")
    assert "Traceback" not in err


def test_plot_whose_name_is_as_long_as_a_name_may_be_is_written(tmp_path):
    name = "p" * 251 + ".png"
    code, _, err = run(tmp_path, "--lr-find", "1", env=environment(LRFIND_PLOT_PATH=name))
    assert code == 0, err
    assert (tmp_path / name).exists()


def test_console_without_the_letters_of_a_class_shows_their_numbers(tmp_path):
    names = ["футболка", "$\\frac$", "<b>", "d", "e", "f", "g", "h", "i", "j"]
    settings = environment(CLASSES=names, LRFIND_VERIFY_STEPS=0, NUM_EPOCHS=4)
    code, out, err = run(tmp_path, "--auto", env={**settings, "PYTHONIOENCODING": "ascii"})
    assert code == 0, err
    assert "\\u0444\\u0443\\u0442" in out
    page = (tmp_path / "output" / "report.html").read_text(encoding="utf-8")
    assert "футболка" in page
    assert "$\\frac$" in page
    assert "&lt;b&gt;" in page
    for section in ("bounds", "training", "report", "confusion"):
        assert f'<section id="{section}">' in page


CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.mark.parametrize("number", CODES)
def test_signal_in_training_keeps_the_epoch_and_says_how_to_go_on(tmp_path, number):
    with start(tmp_path) as process:
        line = b""
        while b"Epoch 3/8" not in line:
            line = process.stdout.readline()
        process.send_signal(number)
        out, err = process.communicate()
    assert process.returncode == CODES[number]
    what = "interrupted" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}"
    said = re.search(
        rf"^\[INFO\] {what}; epoch (\d) is kept: `python train\.py --resume` continues$", err.decode(), re.M
    )
    assert said
    assert 2 <= int(said[1]) <= 3
    assert "Traceback" not in err.decode()
    if number != signal.SIGTERM:
        return
    code, out, _ = run(tmp_path, "--resume")
    assert (code, f"resuming after epoch {said[1]}" in out) == (0, True)


SENDING = """
import os, runpy, sys
class Sending:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), {number})
            raise SystemExit("the signal was ignored")
sys.meta_path.insert(0, Sending())
sys.argv = ["train.py"]
runpy.run_path({train!r}, run_name="__main__")
"""


@pytest.mark.parametrize("name", ["pyimagesearch_lr", "argparse", "numpy"])
@pytest.mark.parametrize("number", CODES)
def test_signal_in_the_first_tenth_of_a_second_ends_in_a_line(tmp_path, number, name):
    """Sent while train.py imports the first things it needs."""
    program = SENDING.format(name=name, number=int(number), train=str(ROOT / "train.py"))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=tmp_path)
    assert done.returncode == CODES[number]
    (line,) = done.stderr.decode().strip().splitlines()
    assert line.startswith("[INFO] ")


def test_second_run_in_the_folder_is_refused_in_a_line(tmp_path):
    with start(tmp_path) as process:
        line = b""
        while b"Epoch 1/8" not in line:
            line = process.stdout.readline()
        os.kill(process.pid, signal.SIGSTOP)
        code, _, err = run(tmp_path, "--resume")
        os.kill(process.pid, signal.SIGKILL)
    assert code == 2
    assert len(errors(err)) == 1
    assert f"is in use by process {process.pid} on " in err


# A disk that is full ---------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own in the place of the output folder, where this process may mount one."""
    folder = tmp_path / "output"
    folder.mkdir()

    def mounted(*options: str) -> int:
        command = ["mount", *options, str(folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode

    if sys.platform != "linux" or mounted("-t", "tmpfs", "-o", "size=88k", "tmpfs"):
        pytest.skip("no disk can be mounted here")
    yield mounted
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_full_disk_is_a_line_and_what_was_trained_is_printed_and_gone_on_with(tmp_path, disk):
    code, out, err = run(tmp_path)  # the checkpoints fit, and the plots do not
    assert code == 2
    assert re.search(r"test accuracy 0\.\d{4} after", out)
    assert len(errors(err)) == 1
    assert errors(err)[0].endswith(": No space left on device")
    assert "Traceback" not in err
    assert not [name for name in os.listdir(tmp_path / "output") if name.startswith(".partial-")]
    assert disk("-o", "remount,size=50m") == 0
    code, out, _ = run(tmp_path, "--resume")
    assert code == 0
    assert "resuming after epoch 8" in out
