"""Two processes of `keras.distribution` on JAX give what one gives with the same global batch."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

PROGRAM = """
import json, sys
import jax
rank, count, port, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
if count > 1:
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
import keras, numpy as np
if count > 1:
    keras.distribution.initialize(
        job_addresses=",".join(f"127.0.0.1:{int(port) + each}" for each in range(count)),
        num_processes=count,
        process_id=rank,
    )
distribution = keras.distribution.DataParallel(
    devices=keras.distribution.list_devices(), auto_shard_dataset=False
)
keras.distribution.set_distribution(distribution)
from models import data, model
from pyimagesearch_lr import CyclicLR, LearningRateFinder, LRFinder

X, Y = data(64)


class Share(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        size = 16 // count
        begin = 16 * index + size * rank
        return X[begin : begin + size], Y[begin : begin + size]


network = model(keras.optimizers.SGD(0.05, momentum=0.9), dropout=0)
before = network.get_weights()
lr_finder = LRFinder(1e-4, 10.0, stop_factor=None, snapshot_dir=folder)
network.fit(Share(), epochs=5, shuffle=False, callbacks=[lr_finder], verbose=0)
curve = LearningRateFinder(network, snapshot_dir=folder).find(
    Share(), 1e-4, 1.0, epochs=15, verbose=0, verify=120
)
same = all(np.array_equal(a, b) for a, b in zip(before, network.get_weights()))
bounds = curve.suggest()
clr = CyclicLR(0.01, 0.1, 4)
history = network.fit(Share(), epochs=2, shuffle=False, callbacks=[clr], verbose=0).history
print("RESULT", json.dumps({
    "sweep": lr_finder.curve.raw_losses.tolist(),
    "find": curve.raw_losses.tolist(),
    "bounds": [bounds.base_lr, bounds.max_lr],
    "no trace": same,
    "cycle": clr.history["lr"],
    "loss": history["loss"],
}))
"""


def results(count: int, folder: Path) -> list[dict]:
    pytest.importorskip("jax")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    paths = os.pathsep.join([str(Path(__file__).parent), *(path for path in sys.path if path)])
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": paths}
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", PROGRAM, str(rank), str(count), str(port), str(folder)],
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for rank in range(count)
        ]
        outputs = [process.communicate(timeout=300) for process in processes]
    found = [line for out, _ in outputs for line in out.splitlines() if line.startswith("RESULT")]
    assert len(found) == count, outputs
    return [json.loads(line.removeprefix("RESULT")) for line in found]


@pytest.mark.slow
def test_two_processes_give_the_curve_bounds_and_cycle_of_one(tmp_path):
    (one,) = results(1, tmp_path)
    both = results(2, tmp_path)
    assert one["no trace"]
    for each in both:
        for name, expected in one.items():
            np.testing.assert_allclose(each[name], expected, rtol=1e-5, err_msg=name)
    assert list(tmp_path.iterdir()) == []
