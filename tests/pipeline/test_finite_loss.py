"""A training whose loss is no longer a number ends at once."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from pyimagesearch_lr.pipeline.finite_loss import FiniteLoss, LossNotFinite

X, Y = np.ones((8, 1)), np.ones(8)


def network(rate: float) -> keras.Model:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(rate), "mse")
    return model


class Steps(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.count = 0

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1


def test_finite_loss_changes_nothing():
    with_it, without = network(0.1), network(0.1)
    with_it.fit(X, Y, 2, 3, verbose=0, shuffle=False, callbacks=[FiniteLoss()])
    without.fit(X, Y, 2, 3, verbose=0, shuffle=False)
    for got, expected in zip(with_it.get_weights(), without.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_training_ends_at_the_first_step_whose_loss_is_not_finite():
    # w = b = 0 and rate r: after step 1, w = b = 2r; that of step 2 is (4r - 1)**2, inf from 1e20 on.
    steps = Steps()
    with pytest.raises(LossNotFinite, match=r"^the loss is inf at step 2 of epoch 1$"):
        network(1e30).fit(X, Y, 2, 3, verbose=0, shuffle=False, callbacks=[steps, FiniteLoss()])
    assert steps.count == 2


def test_nan_in_the_data_of_a_later_epoch_names_the_epoch():
    def batches():
        for step in range(8):
            yield X[:2], np.full(2, np.nan) if step == 5 else Y[:2]

    with pytest.raises(LossNotFinite, match=r"^the loss is nan at step 2 of epoch 2$"):
        network(0.1).fit(
            batches(), steps_per_epoch=4, epochs=2, shuffle=False, verbose=0, callbacks=[FiniteLoss()]
        )


def test_variable_that_is_no_longer_finite_is_seen_though_the_loss_is():
    class Spoiling(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.layers[0].bias.assign([np.inf])

    with pytest.raises(LossNotFinite, match=r"^`bias` is no longer finite at the end of epoch 1$"):
        network(0.1).fit(X, Y, verbose=0, callbacks=[Spoiling(), FiniteLoss()])


def test_infinite_loss_of_the_validation_alone_is_seen():
    class Saved(keras.callbacks.Callback):
        epochs = 0

        def on_epoch_end(self, epoch, logs=None):
            self.epochs += 1

    saved = Saved()
    data = (X, np.full(8, np.inf))
    with pytest.raises(LossNotFinite, match=r"^the loss is inf at the validation of epoch 1$"):
        network(0.1).fit(X, Y, validation_data=data, verbose=0, callbacks=[FiniteLoss(), saved])
    assert saved.epochs == 0
