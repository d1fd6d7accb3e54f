"""A model of one weight, whose training can be followed by hand."""

import keras
import numpy as np


def one_weight(optimizer, **compile_kwargs):
    """A weight w, from 0, whose loss 100 - w has the gradient -1."""
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    network = keras.Sequential([keras.Input((1,)), layer])
    network.compile(optimizer, "mean_absolute_error", **compile_kwargs)
    return network


def fit_one_weight(network, callbacks, steps=4, **fit_kwargs):
    x = np.ones((steps, 1))
    network.fit(x, 100 * x, batch_size=1, callbacks=callbacks, verbose=0, shuffle=False, **fit_kwargs)
    return network.get_weights()[0].item()
