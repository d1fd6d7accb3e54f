"""A reader of TensorBoard's event files that needs nothing but TensorFlow."""

from pathlib import Path

import tensorflow as tf


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Step and value of every scalar in the event files of `folder`, by tag, in the order of writing."""
    found: dict[str, list[tuple[int, float]]] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                found.setdefault(value.tag, []).append((event.step, float(tf.make_ndarray(value.tensor))))
    return found
