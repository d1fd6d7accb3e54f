"""A sweep under MirroredStrategy on two logical devices; test_finder_mirrored.py runs it as a process."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf
from models import assert_same_state, data, model, state

from pyimagesearch_lr.cycles import CyclicLR
from pyimagesearch_lr.finder import LearningRateFinder

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
x, y = data(64)
batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)


def network():
    return model(keras.optimizers.SGD(0.05, momentum=0.9), dropout=0)


with strategy.scope():
    mirrored, oracle = network(), network()
assert mirrored.distribute_strategy.num_replicas_in_sync == 2
mirrored.fit(batches, verbose=0, shuffle=False)
before = state(mirrored)
curve = LearningRateFinder(mirrored, stop_factor=None).find(batches, 1e-4, 0.5, epochs=3, verbose=0)
assert_same_state(before, state(mirrored))

expected = []


class Record(keras.callbacks.Callback):
    """Keras's own way to each step's loss: one `fit` a step."""

    def on_epoch_end(self, epoch, logs=None):
        expected.append(logs["loss"])


oracle.fit(batches, verbose=0, shuffle=False)
for step, rate in enumerate(np.geomspace(1e-4, 0.5, 12)):
    oracle.optimizer.learning_rate = rate
    oracle.fit(batches.skip(step % 4).take(1), verbose=0, shuffle=False, callbacks=[Record()])
np.testing.assert_allclose(curve.raw_losses, expected, rtol=1e-4)

clr = CyclicLR(0.01, 0.05, 2)
mirrored.optimizer.iterations.assign(0)
mirrored.fit(batches, callbacks=[clr], verbose=0, shuffle=False)
np.testing.assert_allclose(clr.history["lr"], [0.01, 0.03, 0.05, 0.03], rtol=1e-6)

with strategy.scope():
    weight = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")]
    )
    weight.compile(keras.optimizers.SGD(7.0, momentum=0.9), "mean_absolute_error")
ones = tf.data.Dataset.from_tensors((np.ones((2, 1)), np.full((2, 1), 100.0))).repeat(4)
weight.fit(ones, callbacks=[CyclicLR(1.0, 3.0, 2, momentum=(0.25, 0.75))], verbose=0, shuffle=False)
# The gradient is -1: the weight is the sum of velocities, velocity = momentum * velocity + rate.
assert weight.get_weights()[0].item() == 1 + 2.5 + 3.625 + 3.8125
assert weight.optimizer.momentum == 0.9
print("same curve, same state")
