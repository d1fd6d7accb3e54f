"""Many pictures that do not fit into memory: how much of it they take, and how fast they are read.

    python scripts/benchmarks/pictures.py            # 100,000 pictures, about 20 minutes on two cores
    python scripts/benchmarks/pictures.py --count 5000

Makes JPEG pictures of 224 x 224 pixels in a temporary folder (2.3 GB), and loads them as `train.py` does, at
128 x 128. Then, in turn: decoding and resizing by OpenCV alone, on all processors; the pictures as they are
streamed; the same with augmentation. Writes scripts/benchmarks/pictures.json beside itself. Run nothing else
meanwhile.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
from measuring import in_turn, keep, ratio

from pyimagesearch_lr.pipeline import data, image_batches, image_folder
from pyimagesearch_lr.pipeline.command_line import parse
from pyimagesearch_lr.pipeline.plan import Plan

JSON = Path(__file__).with_suffix(".json")
CLASSES, SIDE, IMAGE_SIZE, BATCH = 10, 224, 128, 64
DIFFERENT = 500  # pictures; the files are copies of them
READ_A_ROUND = 6400
ROUNDS = 5


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    count = parser.parse_args(argv).count
    with tempfile.TemporaryDirectory() as folder:
        size = draw(Path(folder, "pictures"), count)
        keep(JSON, "streamed", {**measured(Path(folder)), "pictures": count, "bytes_on_disk": size})


def draw(folder: Path, count: int) -> int:
    """Make the pictures; return their size on disk in bytes."""
    rng = np.random.default_rng(0)
    contents = []
    for _ in range(DIFFERENT):
        coarse = rng.integers(0, 256, (28, 28, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        contents.append(cv2.imencode(".jpg", image)[1].tobytes())
    for label in range(CLASSES):
        (folder / f"class {label}").mkdir(parents=True)
    for number in range(count):
        path = folder / f"class {number % CLASSES}" / f"{number:06}.jpg"
        path.write_bytes(contents[number % DIFFERENT])
    return sum(len(contents[number % DIFFERENT]) for number in range(count))


def measured(folder: Path) -> dict:
    """Load them, and time the ways to read them in turn."""
    settings = {
        "DATA": str(folder / "pictures"),
        "IMAGE_SIZE": IMAGE_SIZE,
        "BATCH_SIZE": BATCH,
        "MIN_LR": 1e-4,
        "MAX_LR": 1e-2,
        "STEP_SIZE": 1,
        "CLR_METHOD": "triangular",
        "NUM_EPOCHS": 2,
        "OUTPUT_DIR": str(folder / "output"),
        **{f"{plot}_PLOT_PATH": str(folder / f"{plot}.png") for plot in ("LRFIND", "TRAINING", "CLR")},
    }
    data.MOST_IN_MEMORY = 1  # so that a small --count is streamed, too
    started = time.perf_counter()
    loaded = data.load(Plan.made(SimpleNamespace(**settings), parse([])))
    seconds = time.perf_counter() - started
    pictures = loaded.train_images
    if isinstance(pictures, np.ndarray):
        sys.exit("so few pictures are kept in memory: raise --count")

    def decoding() -> float:
        began = time.perf_counter()
        for _ in image_folder.in_threads(decoded, pictures.files[:READ_A_ROUND]):
            pass
        return time.perf_counter() - began

    def streamed(augmented: bool) -> float:
        labels = np.eye(CLASSES, dtype=np.float32)[loaded.train_labels]
        batches = image_batches.training_batches(pictures, labels, BATCH, augmented=augmented)
        steps = iter(batches)
        next(steps)
        began = time.perf_counter()
        for _ in range(READ_A_ROUND // BATCH):
            next(steps)
        return time.perf_counter() - began

    sides = {"decoding": decoding, "streamed": lambda: streamed(False), "augmented": lambda: streamed(True)}
    taken = in_turn(sides, ROUNDS)
    return {
        "side": SIDE,
        "image_size": IMAGE_SIZE,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "seconds_to_load": round(seconds, 1),
        "pictures_a_round": READ_A_ROUND,
        "seconds": {name: [round(each, 3) for each in times] for name, times in taken.items()},
        "streamed_over_decoding": ratio(taken["streamed"], taken["decoding"]),
        "augmented_over_decoding": ratio(taken["augmented"], taken["decoding"]),
    }


def decoded(file: image_folder.File) -> np.ndarray:
    """What reading a picture takes at least."""
    image = cv2.imdecode(np.frombuffer(file.path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    return cv2.resize(image, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    main(sys.argv[1:])
    print(json.dumps(json.loads(JSON.read_text(encoding="utf-8")), indent=1))
