"""Article 5: one learning rate per epoch, then the best rate against the default.

Better Data Science, "How to Optimize Learning Rate with TensorFlow",
https://betterdatascience.com/optimize-learning-rate-with-tensorflow/

The article trains a dense network on the wine-quality table with a rate that rises every epoch, 1e-3 * 10 **
(epoch / 30) for 100 epochs, and takes the rate with the lowest, steady loss: about 0.007. Trained again with
it, test accuracy is about 3 points above that of the default rate (79 % and 76 %), one run each.

Prints what the same sweep gives here, what our range test suggests, and the test accuracy of the default rate
against each found rate over several seeds: the difference of each seed, its mean and its spread.

    python scripts/articles/article_5_wine_quality.py --csv winequalityN.csv    # about 10 minutes
    python scripts/articles/article_5_wine_quality.py --csv winequalityN.csv --quick

The table is that of the UCI repository, https://archive.ics.uci.edu/dataset/186/wine+quality, red and white
in one file with the columns type, fixed acidity, ..., alcohol, quality.
"""

import csv
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
from article import command_line, save
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from pyimagesearch_lr import LearningRateFinder, plots
from pyimagesearch_lr.smoothing import simple_moving_average

options = command_line(__doc__, csv=True)

# Settings --------------------------------------------------------------------------------------------------
EPOCHS = 5 if options.quick else 100
SEEDS = range(2 if options.quick else 6)
DEFAULT_LR, ARTICLE_LR = 0.001, 0.007
BATCH_SIZE = 32
SPLIT_SEED = 42
STEADY_EPOCHS = 5  # the sweep's loss is read as its mean over so many epochs
STEPS_PER_EXECUTION = 32  # the rate changes by epoch only, so this changes nothing but the time

# Data ------------------------------------------------------------------------------------------------------
with options.csv.open(newline="", encoding="utf-8") as file:
    rows = [row for row in csv.DictReader(file) if all(row.values())]
features = [name for name in rows[0] if name not in ("type", "quality")]
x = np.array([[row["type"] == "white", *(row[name] for name in features)] for row in rows], "float32")
y = np.array([int(row["quality"]) >= 6 for row in rows], "float32")
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=SPLIT_SEED)
scaler = StandardScaler().fit(x_train)
x_train, x_test = scaler.transform(x_train), scaler.transform(x_test)
print(f"data: {len(x)} wines without missing values, {y.mean():.0%} good; {len(x_test)} for the test")


# Model -----------------------------------------------------------------------------------------------------
def new_model(seed: int, lr: float = DEFAULT_LR) -> keras.Model:
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(units, activation="relu") for units in (128, 256, 256)]
    model = keras.Sequential(
        [keras.Input((x.shape[1],)), *layers, keras.layers.Dense(1, activation="sigmoid")]
    )
    model.compile(
        keras.optimizers.Adam(lr), "binary_crossentropy", metrics=["accuracy"],
        steps_per_execution=STEPS_PER_EXECUTION,
    )  # fmt: skip
    return model


def fitted(model: keras.Model, *callbacks) -> keras.callbacks.History:
    return model.fit(x_train, y_train, batch_size=BATCH_SIZE, epochs=EPOCHS, callbacks=callbacks, verbose=0)


# The article's sweep: one rate per epoch -------------------------------------------------------------------
ramp = keras.callbacks.LearningRateScheduler(lambda epoch, lr: 1e-3 * 10 ** (epoch / (0.3 * EPOCHS)))
history = {name: np.array(values) for name, values in fitted(new_model(seed=0), ramp).history.items()}
steady = simple_moving_average(history["loss"], STEADY_EPOCHS)[STEADY_EPOCHS - 1 :]
read_lr = float(history["learning_rate"][np.argmin(steady) + STEADY_EPOCHS // 2])
print(
    f"one rate per epoch: lowest steady loss {steady.min():.4f} at {read_lr:.4f}; the article: {ARTICLE_LR}"
)

# Our range test, one rate per step -------------------------------------------------------------------------
curve = LearningRateFinder(new_model(seed=0)).find(
    (x_train, y_train), 1e-6, 10.0, epochs=5, batch_size=BATCH_SIZE, verbose=0, verify=False
)
steepest = curve.suggest("steep")
print(f"range test: {steepest.max_lr:.1e} ({steepest.reason})")

# Default rate against found rates, seed by seed ------------------------------------------------------------
rates = {"default": DEFAULT_LR, "article": ARTICLE_LR, "sweep": read_lr, "range test": steepest.max_lr}
accuracies: dict[str, list[float]] = {name: [] for name in rates}
confusion = {name: np.zeros((2, 2), int) for name in rates}
started = time.perf_counter()
for seed in SEEDS:
    for name, lr in rates.items():
        model = new_model(seed, lr)
        fitted(model)
        good = keras.ops.convert_to_numpy(model(x_test))[:, 0] > 0.5
        accuracies[name].append(float(np.mean(good == y_test)))
        confusion[name] += confusion_matrix(y_test, good)
    print(
        f"seed {seed}: " + ", ".join(f"{name} {values[-1]:.4f}" for name, values in accuracies.items()),
        flush=True,
    )

print(
    "\ntest accuracy in %, mean and standard deviation over seeds; the article: 76 by default, 79 with 0.007"
)
summary = {}
for name, values in accuracies.items():
    differences = 100 * (np.array(values) - accuracies["default"])
    summary[name] = {
        "lr": rates[name],
        "accuracies": values,
        "mean": float(np.mean(values)),
        "std": float(np.std(values, ddof=1)),
        "difference_mean": float(differences.mean()),
        "difference_std": float(differences.std(ddof=1)),
    }
    print(
        f"{name:<11}lr {rates[name]:.4f}: {100 * np.mean(values):.2f} +- {100 * np.std(values, ddof=1):.2f}, "
        f"over the default by {differences.mean():+.2f} +- {differences.std(ddof=1):.2f} points: "
        + " ".join(f"{each:+.2f}" for each in differences)
    )

# Results ---------------------------------------------------------------------------------------------------
sweep_figure = plots.epoch_sweep(history, lr=read_lr, title="Article 5: one learning rate per epoch")
matrices, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
for ax, name in zip(axes, ("default", "article"), strict=True):
    shown = ConfusionMatrixDisplay(confusion[name] / len(SEEDS), display_labels=["not good", "good"])
    shown.plot(ax=ax, colorbar=False, cmap="Blues", values_format=".0f")
    ax.set_title(f"{name}, lr {rates[name]:g}")
matrices.suptitle(f"Article 5: wines of the test set, mean of {len(SEEDS)} seeds")
save(
    options.output,
    "article_5_wine_quality",
    {"epochs": EPOCHS, "seeds": list(SEEDS), "batch_size": BATCH_SIZE, "split_seed": SPLIT_SEED,
     "steady_epochs": STEADY_EPOCHS, "quick": options.quick},
    {"wines": len(x), "sweep_lr": read_lr, "range_test_lr": steepest.max_lr,
     "rates": summary, "seconds": time.perf_counter() - started},
    {"article_5_sweep": sweep_figure, "article_5_confusion": matrices},
)  # fmt: skip
