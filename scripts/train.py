"""The same as `python train.py` at the root of the project, with the root's config.py."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pyimagesearch_lr.pipeline import console  # noqa: E402

if __name__ == "__main__":
    sys.exit(console(ROOT))
