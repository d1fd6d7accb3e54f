"""Find learning rates for MiniGoogLeNet on Fashion-MNIST, then train with them: `python train.py --help`."""

import sys

import config
from pyimagesearch_lr.pipeline import main

if __name__ == "__main__":
    sys.exit(main(config))
