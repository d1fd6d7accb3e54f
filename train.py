"""Find learning rates for MiniGoogLeNet on Fashion-MNIST, then train with them: `python train.py --help`."""

import sys
from pathlib import Path

from pyimagesearch_lr.pipeline import console

if __name__ == "__main__":
    sys.exit(console(Path(__file__).parent))
