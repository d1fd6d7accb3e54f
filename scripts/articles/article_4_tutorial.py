"""Article 4: find the bounds, then train between them: the tutorial that this project is built around.

PyImageSearch, "Keras Learning Rate Finder", https://pyimagesearch.com/2019/08/05/keras-learning-rate-finder/

The tutorial sweeps MiniGoogLeNet on Fashion-MNIST from 1e-10 to 10, reads the bounds 1e-5 and 1e-2 off the
plot, and reports 0.9452 on the test images after 48 epochs, three full triangular cycles.

Prints the tutorial's numbers beside those that `python train.py --lr-find 1` and `python train.py` have left
in output/, or, before both have run there, those of the run in docs/results/tutorial. With `--quick` it runs
both phases first, on the embedded sample.

    python scripts/articles/article_4_tutorial.py            # seconds: reads what the two phases left
    python scripts/articles/article_4_tutorial.py --quick    # runs both, in a minute or two on two cores
"""

import json
import sys
from types import SimpleNamespace

from article import ROOT, command_line

from pyimagesearch_lr import LRCurve, NoSuggestion
from pyimagesearch_lr.pipeline import main

sys.path.insert(0, str(ROOT))
import config

options = command_line(__doc__)

# Both phases on the sample ---------------------------------------------------------------------------------
results = ROOT / "output"
if not all((results / name).exists() for name in ("lrfind.json", "training.json")):
    results = ROOT / "docs" / "results" / "tutorial"
if options.quick:
    plots = {
        f"{name}_PLOT_PATH": str(options.output / f"{name.lower()}_plot.png")
        for name in ("LRFIND", "TRAINING", "CLR")
    }
    settings = {**vars(config), **plots, "OUTPUT_DIR": str(options.output)}
    exit_code = main(SimpleNamespace(**settings), ["--quick", "--auto"])
    if exit_code:
        sys.exit(exit_code)
    results = options.output / "quick"

# The tutorial's numbers beside ours ------------------------------------------------------------------------
curve = LRCurve.load(results / "lrfind.json")
training = json.loads((results / "training.json").read_text(encoding="utf-8"))
history = training["history"]
try:
    bounds = curve.suggest()
    found = f"{bounds.base_lr:.1e} to {bounds.max_lr:.1e}"
except NoSuggestion as reason:
    found = f"none: {reason}"
for name, tutorial, here in (
    ("", "tutorial", "here"),
    ("bounds, read by eye / found", "1e-05 to 1e-02", found),
    ("epochs", "48", f"{len(history['loss'])}"),
    ("test accuracy after epoch 1", "0.736", f"{history['val_accuracy'][0]:.3f}"),
    ("final training loss", "0.076", f"{history['loss'][-1]:.3f}"),
    ("final training accuracy", "0.972", f"{history['accuracy'][-1]:.3f}"),
    ("final test loss", "0.168", f"{history['val_loss'][-1]:.3f}"),
    ("final test accuracy", "0.9452", f"{training['test_accuracy']:.4f}"),
):
    print(f"{name:<30}{tutorial:<18}{here}")
