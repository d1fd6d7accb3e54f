"""Draw the report pages of the runs in docs/results again; `--check` says whether they are right.

A run names its plots by paths relative to where it was started, so each page is drawn in a folder that looks
like that one.
"""

import contextlib
import re
import shutil
import sys
import tempfile
from pathlib import Path

from pyimagesearch_lr.pipeline import page
from pyimagesearch_lr.pipeline.results import Finding, Training

ROOT = Path(__file__).resolve().parents[2]
RUNS = {  # and the folder that each was written to
    "docs/results/tutorial": "output",
    "docs/results/auto": "output",
    "docs/results/short": "output/short",
    "docs/results/best": "output/best",
}


def main(argv: list[str]) -> int:
    stale = False
    for kept, written in RUNS.items():
        path = ROOT / kept / page.NAME
        html = drawn(ROOT / kept, written)
        stale |= without_drawings(html) != without_drawings(path.read_text(encoding="utf-8"))
        if "--check" not in argv:
            path.write_text(html, encoding="utf-8")
    return int(stale and "--check" in argv)


def drawn(kept: Path, written: str) -> str:
    """The page of the run in `kept`, which was written to the folder `written`."""
    with tempfile.TemporaryDirectory() as start, contextlib.chdir(start):
        shutil.copytree(kept, written)
        return page.render(Finding.load(written), Training.load(written))


def without_drawings(html: str) -> str:
    """The page without its images, whose bytes change with the version of matplotlib."""
    return re.sub(r"base64,[A-Za-z0-9+/=]+", "", html)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
