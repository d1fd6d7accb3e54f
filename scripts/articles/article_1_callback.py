"""Article 1: the finder as a Keras callback, in your own `fit`.

A. van Wyk, "Finding a Learning Rate with Tensorflow 2",
https://avanwyk.com/finding-a-learning-rate-in-tensorflow-2/

The article puts a callback into `fit`: the rate rises exponentially, the loss is smoothed, training stops at
the top or when the loss explodes. It reports a good range of 1e-3 to 1e-2 on MNIST with a small CNN. Its
reader has to rebuild and recompile the model before training it; here the same model is trained right away.

Prints the range found here beside the article's, whether the sweep changed any weight, and the test accuracy
of the same model trained in that range. Optimizer and batch size are our choice.

    python scripts/articles/article_1_callback.py            # a minute or two on two cores
    python scripts/articles/article_1_callback.py --quick    # on the embedded sample
"""

import keras
import numpy as np
from article import command_line, load_images, save, small_cnn

from pyimagesearch_lr import CyclicLR, LRFinder

options = command_line(__doc__)

# Settings --------------------------------------------------------------------------------------------------
START_LR, END_LR = 1e-7, 10.0
BATCH_SIZE = 16 if options.quick else 64
SWEEP_EPOCHS = 2 if options.quick else 1
TRAIN_EPOCHS = 2  # one cycle: an epoch up, an epoch down
SEED = 42
ARTICLE_RANGE = (1e-3, 1e-2)

# Data and model --------------------------------------------------------------------------------------------
(x_train, y_train), (x_test, y_test), data_name = load_images(options.quick)
keras.utils.set_random_seed(SEED)
model = small_cnn()
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

# The search: nothing but a callback ------------------------------------------------------------------------
weights = model.get_weights()
lr_finder = LRFinder(START_LR, END_LR)
model.fit(x_train, y_train, batch_size=BATCH_SIZE, epochs=SWEEP_EPOCHS, callbacks=[lr_finder], verbose=0)
unchanged = all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights(), strict=True))
curve = lr_finder.curve
bounds = curve.suggest()
print(f"the sweep ended after {len(curve)} steps at {curve.lrs[-1]:.1e}: {curve.stop_reason}")
print(f"good range, the article: {ARTICLE_RANGE[0]:.1e} to {ARTICLE_RANGE[1]:.1e}")
print(f"good range, here:        {bounds.base_lr:.1e} to {bounds.max_lr:.1e} ({bounds.reason})")
print(f"weights unchanged by the sweep: {unchanged}")

# Training: the same model, neither rebuilt nor recompiled --------------------------------------------------
steps_per_epoch = -(-len(x_train) // BATCH_SIZE)
clr = CyclicLR(bounds.base_lr, bounds.max_lr, step_size=steps_per_epoch * TRAIN_EPOCHS / 2)
model.fit(x_train, y_train, batch_size=BATCH_SIZE, epochs=TRAIN_EPOCHS, callbacks=[clr], verbose=0)
_, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"test accuracy after {TRAIN_EPOCHS} epochs in that range: {accuracy:.4f}")

# Results ---------------------------------------------------------------------------------------------------
figure = curve.plot(title=f"Article 1: the callback's curve, small CNN with Adam on {data_name}").figure
save(
    options.output,
    "article_1_callback",
    {"start_lr": START_LR, "end_lr": END_LR, "batch_size": BATCH_SIZE, "sweep_epochs": SWEEP_EPOCHS,
     "train_epochs": TRAIN_EPOCHS, "optimizer": "Adam", "seed": SEED, "quick": options.quick},
    {"data": data_name, "base_lr": bounds.base_lr, "max_lr": bounds.max_lr, "reason": bounds.reason,
     "steps": len(curve), "stop_reason": curve.stop_reason, "weights_unchanged": unchanged,
     "test_accuracy": accuracy},
    {"article_1_callback": figure},
)  # fmt: skip
