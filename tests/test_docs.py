"""What the repository keeps for readers: runs leave it clean, pages run, links lead somewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def git(*arguments: str) -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git clone")
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


# A run leaves a clone clean --------------------------------------------------------------------------------

WRITTEN = [
    "lrfind.json", "lrfind_plot.png", "report.html", "report.txt", "history.csv", "training.json",
    "training_plot.png", "clr_plot.png", "model.keras", "checkpoint.npz", "checkpoint-previous.npz",
    ".running", ".checkpoint.npz.tmp", "quick/report.html", "short/training.json",
    "articles/article_1_callback.png",
]  # fmt: skip


def test_one_file_of_the_folder_that_runs_write_to_is_tracked():
    assert git("ls-files", "output") == ["output/README.md"]


def test_what_runs_write_is_ignored():
    written = [f"output/{name}" for name in WRITTEN]
    assert git("check-ignore", "--no-index", *written) == written
    assert git("check-ignore", "--no-index", "output/README.md") == []


def test_report_pages_are_those_of_the_results_that_are_kept():
    check = subprocess.run([sys.executable, "scripts/make/report_pages.py", "--check"], cwd=ROOT, check=False)
    assert check.returncode == 0, "draw them again: python scripts/make/report_pages.py"
