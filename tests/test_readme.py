"""README: it is short, its quickstart learns, its commands exist, its numbers are those of the results."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from markdown_blocks import blocks

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_is_short():
    assert len(README.split()) <= 1200  # what `wc -w` counts


def test_quickstart_is_short():
    (quickstart,) = blocks(README, "python")
    assert len([line for line in quickstart.splitlines() if line]) <= 12


def test_quickstart_learns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    exec(blocks(README, "python")[0], namespace)
    assert namespace["bounds"].base_lr < namespace["bounds"].max_lr
    _, accuracy = namespace["model"].evaluate(namespace["x"], namespace["y"], verbose=0)
    assert accuracy > 0.8


@pytest.mark.parametrize("command", [line for block in blocks(README, "bash") for line in block.splitlines()])
def test_shell_commands_are_ones_that_work(command):
    program, *arguments = command.split()
    if program == "make":
        done = subprocess.run(
            ["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    else:
        assert command == "python -m pip install ."


def test_commands_in_the_text_have_options_that_exist():
    text = README + (ROOT / "docs/pipeline.md").read_text(encoding="utf-8")
    helped = subprocess.run(
        [sys.executable, "train.py", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    used = set(re.findall(r"`python\strain\.py\s[^`]*?(--[a-z-]+)", text))
    assert {"--lr-find", "--auto", "--quick"} <= used
    assert all(option in helped.stdout for option in used)


def test_numbers_are_those_of_the_committed_results():
    script = [sys.executable, "scripts/make/update_pages.py", "--check"]
    assert subprocess.run(script, cwd=ROOT, check=False).returncode == 0


def test_contributing_names_every_room_of_the_library():
    table = re.findall(r"^\| (`.*?) \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), flags=re.M)
    rooms = {path.name for path in (ROOT / "pyimagesearch_lr").glob("*.py")} - {"__init__.py"}
    assert rooms | {"pipeline/"} == set(re.findall(r"`([^`]+)`", " ".join(table)))
