"""The same as `python train.py` at the root of the project, with the root's config.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import config
from pyimagesearch_lr.pipeline import main

if __name__ == "__main__":
    sys.exit(main(config))
