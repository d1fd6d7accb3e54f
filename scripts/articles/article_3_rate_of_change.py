"""Article 3: the rate of change of the loss, and the search again later in training.

P. Surmenok, "Estimating an Optimal Learning Rate For a Deep Neural Network",
https://www.kdnuggets.com/2017/11/estimating-optimal-learning-rate-deep-neural-network.html

The article multiplies the rate after every batch, stops when the loss exceeds 4 times its best, and takes
the minimum of the smoothed rate of change: about 0.01 in its figure, where the loss falls fast between 0.001
and 0.01. It says that a constant rate should be one or two orders of magnitude below the largest that still
trains, and that the best rate falls during training, so that the search should be done again later.

Prints the rate by the article's rule, the largest rate that still trains, and both bounds or why there are
none: before training, and again after every epoch. Draws the loss, its raw and its smoothed rate of change,
and all the searches in one figure. The model (the small CNN of article 1, plain SGD) and the data are our
choice.

    python scripts/articles/article_3_rate_of_change.py            # about 3 minutes on two cores
    python scripts/articles/article_3_rate_of_change.py --quick    # on the embedded sample
"""

import keras
import matplotlib.pyplot as plt
import numpy as np
from article import command_line, fastest_fall, load_images, save, small_cnn

from pyimagesearch_lr import Comparison, LearningRateFinder, NoSuggestion, PeriodicLRFinder, plots
from pyimagesearch_lr.smoothing import rate_of_change

options = command_line(__doc__)

# Settings --------------------------------------------------------------------------------------------------
START_LR, END_LR = 1e-5, 10.0
BATCH_SIZE = 16 if options.quick else 64
SWEEP_EPOCHS = 3 if options.quick else 1
TRAIN_EPOCHS = 2 if options.quick else 4  # each followed by a search
STOP_FACTOR = 4
WINDOW = 20
STILL_TRAINS = 1.1  # times the lowest smoothed loss
SEED = 42

# Data and model --------------------------------------------------------------------------------------------
(x_train, y_train), _, data_name = load_images(options.quick)
keras.utils.set_random_seed(SEED)
model = small_cnn()
model.compile(keras.optimizers.SGD(), "sparse_categorical_crossentropy")

sweep = {
    "start_lr": START_LR,
    "end_lr": END_LR,
    "epochs": SWEEP_EPOCHS,
    "batch_size": BATCH_SIZE,
    "verbose": 0,
    "verify": False,  # the article reads rates off the curve and tries none
}

# The searches: one before training, one after every epoch --------------------------------------------------
first = LearningRateFinder(model, stop_factor=STOP_FACTOR).find((x_train, y_train), **sweep)
lr = fastest_fall(first, WINDOW)
model.optimizer.learning_rate = lr
periodic = PeriodicLRFinder((x_train, y_train), every=1, stop_factor=STOP_FACTOR, **sweep)
model.fit(x_train, y_train, batch_size=BATCH_SIZE, epochs=TRAIN_EPOCHS, callbacks=[periodic], verbose=0)
searches = {"before training": first, **{f"after epoch {n}": curve for n, curve in periodic.curves.items()}}

# What each search says -------------------------------------------------------------------------------------
found = {}
for when, curve in searches.items():
    line, steepest = curve.smoothed, fastest_fall(curve, WINDOW)
    largest = float(line.lrs[line.losses <= STILL_TRAINS * line.losses.min()][-1])
    found[when] = {"steepest_lr": steepest, "largest_lr": largest, "base_lr": None, "max_lr": None}
    print(f"{when}: falls fastest at {steepest:.1e}; the largest rate that still trains is {largest:.1e}")
    try:
        bounds = curve.suggest()
        found[when] |= {"base_lr": bounds.base_lr, "max_lr": bounds.max_lr}
        print(f"    bounds {bounds.base_lr:.1e} to {bounds.max_lr:.1e}: {bounds.reason}")
    except NoSuggestion as reason:
        print(f"    no bounds: {reason}")
print("the article: falls fastest at about 1.0e-02 before training, and the best rate is lower later")

# Results ---------------------------------------------------------------------------------------------------
figure_1, (top, middle, bottom) = plt.subplots(3, 1, figsize=(8, 10), sharex=True, layout="constrained")
first.plot(top, title=f"Article 3: the first search, small CNN with SGD on {data_name}")
top.legend(loc="lower left")
raw_change = rate_of_change(first.raw_losses)
plots.rate_of_change(first.lrs, raw_change, ax=middle, title="change of the loss from step to step")
before_the_end = 1.3 * np.nanpercentile(np.abs(raw_change), 98)
middle.set_ylim(-before_the_end, before_the_end)
middle.lines[0].set_linewidth(0.8)
first.plot_rate_of_change(WINDOW, bottom, title=f"change of the smoothed loss over {WINDOW} steps")
bottom.axvline(lr, color="#d1632a", linestyle="--", label=f"fastest at {lr:.1e}")
bottom.legend(loc="upper left")

figure_2, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
together = Comparison(searches)
together.plot(left, title="loss")
left.legend(loc="upper left", ncols=2)
together.plot_rate_of_change(WINDOW, right, title=f"change of loss over {WINDOW} steps")
figure_2.suptitle(f"Article 3: the same search before and during training with {lr:.1e}")
save(
    options.output,
    "article_3_rate_of_change",
    {"start_lr": START_LR, "end_lr": END_LR, "batch_size": BATCH_SIZE, "sweep_epochs": SWEEP_EPOCHS,
     "train_epochs": TRAIN_EPOCHS, "train_lr": lr, "stop_factor": STOP_FACTOR, "window": WINDOW, "seed": SEED,
     "quick": options.quick},
    {"data": data_name, "searches": found},
    {"article_3_rate_of_change": figure_1, "article_3_later_in_training": figure_2},
)  # fmt: skip
