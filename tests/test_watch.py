"""A rate that is set has an effect, or whoever trains in place of the compiled optimizer is named."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pyimagesearch_lr import CyclicLR, LearningRateFinder


class Idle(keras.Sequential):
    def train_step(self, batch):
        x, y = batch
        return {"loss": tf.reduce_mean((self(x) - y) ** 2)}


class TwoOptimizers(keras.Sequential):
    def compile(self, first, second):
        super().compile()
        self.parts = {"first": first, "second": second}

    def train_step(self, batch):
        x, y = batch
        with tf.GradientTape(persistent=True) as tape:
            loss = tf.reduce_mean((self(x) - y) ** 2)
        for optimizer, weight in zip(self.parts.values(), self.trainable_variables, strict=True):
            optimizer.apply([tape.gradient(loss, weight)], [weight])
        return {"loss": loss}


class TestTrainingWatch:
    x = np.ones((32, 2), "float32")

    def sweep(self, network):
        finder = LearningRateFinder(network)
        return finder.find((self.x, self.x[:, :1]), 1e-3, 1.0, num_steps=8, batch_size=8, verbose=0)

    def test_optimizers_in_a_dict_that_train_in_place_of_the_compiled_one_are_named(self):
        network = TwoOptimizers([keras.Input((2,)), keras.layers.Dense(1)])
        network.compile(keras.optimizers.Adam(0.1), keras.optimizers.SGD(0.1))
        before = network.get_weights()
        named = r"parts\['first'\]` \(Adam\) and `parts\['second'\]` \(SGD\)"
        with pytest.raises(RuntimeError, match=named):
            self.sweep(network)
        for expected, got in zip(before, network.get_weights(), strict=True):
            np.testing.assert_array_equal(got, expected)
        with pytest.raises(RuntimeError, match=named):
            network.fit(self.x, self.x[:, :1], batch_size=8, callbacks=[CyclicLR(0.1, 0.2, 2)], verbose=0)
        assert int(network.parts["first"].iterations) > 0  # of the second fit: a cycle puts nothing back

    def test_a_step_that_trains_nothing_is_refused(self):
        network = Idle([keras.Input((2,)), keras.layers.Dense(1)])
        network.compile("sgd")
        with pytest.raises(RuntimeError, match="has no effect"):
            self.sweep(network)

    def test_gradient_accumulation_and_loss_scale_are_no_reason(self):
        for optimizer in (
            keras.optimizers.SGD(0.1, gradient_accumulation_steps=4),
            keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)),
        ):
            network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
            network.compile(optimizer, "mse")
            assert len(self.sweep(network)) == 8

    @pytest.mark.parametrize("seed", range(4))
    def test_first_steps_that_overflow_in_float16_are_no_reason(self, seed):
        """The loss scale is made with the first step, and halved by each that overflows."""
        policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy("mixed_float16")
        try:
            keras.utils.set_random_seed(seed)
            network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
            network.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
            x = np.random.default_rng(seed).normal(size=(320, 2)).astype("float32")
            clr = CyclicLR(1e-3, 1e-2, step_size=20)
            network.fit(x, x.sum(axis=1, keepdims=True), epochs=4, callbacks=[clr], verbose=0)
        finally:
            keras.config.set_dtype_policy(policy)
        assert len(clr.history["lr"]) == 40
