"""`TensorBoardLog`: a training's scalars by epoch and its learning rate by step, for TensorBoard."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

# What `tf.summary.scalar` writes; that function itself needs the package tensorboard.
SCALAR = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"), data_class="DATA_CLASS_SCALAR"
)


class TensorBoardLog(keras.callbacks.Callback):
    """Writes event files for `tensorboard --logdir FOLDER`, without needing the package tensorboard.

    By epoch, `epoch_loss` and whatever else `fit` logs, under "train" and "validation", with the names that
    Keras's own callback gives them. By step, `learning_rate`: the rate that the step was trained with,
    against the number of batches trained before it, so that a resumed training continues where it stopped.
    With `steps_per_execution` above 1 there is one rate per execution.

    Args:
        folder: Path of the folder for the event files of this training.

    Example:

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x = tf.ones((4, 1))
    >>> history = model.fit(x, x, validation_data=(x, x), callbacks=[TensorBoardLog(folder)], verbose=0)
    >>> sorted(path.name for path in folder.iterdir())
    ['train', 'validation']
    """

    def __init__(self, folder: str | os.PathLike):
        super().__init__()
        self.folder = Path(folder)
        self._writers: dict[str, Any] = {}

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        self._step = int(optimizer.iterations) * (optimizer.gradient_accumulation_steps or 1)

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._batch = batch
        self._lr = float(self.model.optimizer.learning_rate)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._write("train", {"learning_rate": self._lr}, self._step)
        self._step += batch - self._batch + 1

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        for name, value in (logs or {}).items():
            part = "validation" if name.startswith("val_") else "train"
            self._write(part, {"epoch_" + name.removeprefix("val_"): value}, epoch)
        with self._named_errors():
            for writer in self._writers.values():
                writer.flush()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def _write(self, part: str, scalars: dict[str, Any], step: int) -> None:
        with self._named_errors():
            if part not in self._writers:
                self._writers[part] = tf.summary.create_file_writer(str(self.folder / part))
            with self._writers[part].as_default():
                for name, value in scalars.items():
                    tf.summary.write(name, tf.cast(value, tf.float32), step=step, metadata=SCALAR)

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Turn TensorFlow's file errors into Python's own, with the folder."""
        try:
            yield
        except tf.errors.OpError as error:
            raise OSError(errno.EIO, error.message, str(self.folder)) from error
