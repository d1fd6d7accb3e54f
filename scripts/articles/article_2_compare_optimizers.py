"""Article 2: the range test on arrays, comparing optimizers.

MachineCurve, "Finding optimal learning rates with the Learning Rate Range Test",
https://machinecurve.com/index.php/2020/02/20/finding-optimal-learning-rates-with-the-learning-rate-range-test

The article runs the test with SGD and with Adam on MNIST and draws two figures with one line per optimizer:
loss against rate, and change of loss (over 20 steps) against rate. It reports Adam clearly better than SGD,
and Adam's steepest point at about 10^-3.95.

Prints the bounds and the best loss of each optimizer as a table, and the rate where each falls fastest, and
draws both figures. The article's range begins at 1e-4, where Adam learns already; a second pair of sweeps
begins at 1e-7, to see the whole of its fall.

    python scripts/articles/article_2_compare_optimizers.py            # about 10 minutes on two cores
    python scripts/articles/article_2_compare_optimizers.py --quick    # on the embedded sample
"""

import keras
import matplotlib.pyplot as plt
import numpy as np
from article import command_line, fastest_fall, load_images, save

from pyimagesearch_lr import compare

options = command_line(__doc__)

# Settings --------------------------------------------------------------------------------------------------
RANGES = {"the article's range": (1e-4, 1.0), "from 1e-7": (1e-7, 1.0)}
OPTIMIZERS = {"SGD": keras.optimizers.SGD(), "Adam": keras.optimizers.Adam()}
BATCH_SIZE = 50 if options.quick else 250
EPOCHS = 5
WINDOW = 20
SEED = 42

# Data and model --------------------------------------------------------------------------------------------
(x_train, y_train), _, data_name = load_images(options.quick)
keras.utils.set_random_seed(SEED)
model = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        keras.layers.Conv2D(32, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(64, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(256, activation="relu"),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile(loss="sparse_categorical_crossentropy")

# The sweeps: every optimizer from the same weights, over the same batches ----------------------------------
figures, results = {}, {}
for range_name, (start_lr, end_lr) in RANGES.items():
    curves = compare(
        model, OPTIMIZERS, (x_train, y_train), start_lr, end_lr,
        epochs=EPOCHS, batch_size=BATCH_SIZE, verbose=0,
    )  # fmt: skip
    print(f"\n{range_name}, {start_lr:g} to {end_lr:g}:\n{curves}")
    results[range_name] = {}
    for label, curve in curves.items():
        steepest = fastest_fall(curve, WINDOW)
        print(f"{label}: falls fastest at 10^{np.log10(steepest):.2f}")
        best = float(curve.smoothed.losses.min())
        results[range_name][label] = {"best_loss": best, "steepest_lr": steepest}

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    curves.plot(left, title="loss")
    curves.plot_rate_of_change(WINDOW, right, title=f"change of loss over {WINDOW} steps")
    for ax in (left, right):
        ax.legend(loc="upper left")  # below the level is Adam's fall
    figure.suptitle(f"Article 2: SGD and Adam, {range_name}, CNN on {data_name}")
    figures[f"article_2_from_{start_lr:.0e}"] = figure

print("\nthe article: Adam clearly better than SGD, and steepest at about 10^-3.95")

# Results ---------------------------------------------------------------------------------------------------
save(
    options.output,
    "article_2_compare_optimizers",
    {"ranges": RANGES, "batch_size": BATCH_SIZE, "epochs": EPOCHS, "window": WINDOW, "seed": SEED,
     "quick": options.quick},
    {"data": data_name, "sweeps": results},
    figures,
)  # fmt: skip
