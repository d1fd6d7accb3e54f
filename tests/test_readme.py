"""README: its Python runs, its commands exist, its numbers are those of the committed results."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from markdown_blocks import blocks, run_python

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_block_is_python_or_shell():
    assert re.findall(r"```(\w*)\n.*?```", README, flags=re.DOTALL) == re.findall(
        r"```(python|bash)\n.*?```", README, flags=re.DOTALL
    )


def test_python_blocks_run_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = run_python(README, "README.md")
    assert namespace["bounds"].base_lr < namespace["bounds"].max_lr


def test_quickstart_learns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    exec(blocks(README, "python")[0], namespace)
    _, accuracy = namespace["model"].evaluate(namespace["x"], namespace["y"], verbose=0)
    assert accuracy > 0.95


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
    helped = subprocess.run(
        [sys.executable, "train.py", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    used = set(re.findall(r"`python train\.py [^`]*?(--[a-z-]+)", README))
    assert {"--lr-find", "--auto", "--quick"} <= used
    assert all(option in helped.stdout for option in used)


def test_numbers_are_those_of_the_committed_results():
    script = [sys.executable, "scripts/make/update_pages.py", "--check"]
    assert subprocess.run(script, cwd=ROOT, check=False).returncode == 0


def test_contributing_names_every_room_of_the_library():
    table = re.findall(r"^\| (`.*?) \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), flags=re.M)
    rooms = {path.name for path in (ROOT / "pyimagesearch_lr").glob("*.py")} - {"__init__.py"}
    assert rooms | {"pipeline/"} == set(re.findall(r"`([^`]+)`", " ".join(table)))


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "scripts/README.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert link.startswith("https://") or target.exists(), link
        assert not anchor or anchor in anchors(target), link
