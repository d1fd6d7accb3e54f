"""What the recipes of `train.py` reach on all of Fashion-MNIST, and in what time; several seeds.

Claims measured: the accuracy of the short recipe and of the best one, and in what time they reach it, the
finder included; training in bfloat16 and in float32 ends within noise of each other.

    python scripts/benchmarks/recipes.py                     # every run that is missing, one after another
    python scripts/benchmarks/recipes.py short:1 float32:2   # these, again
    python scripts/benchmarks/recipes.py tune:flat:1         # a pilot, one of `PILOTS`, on held-out data
    python scripts/benchmarks/recipes.py trial:muon:1        # one of `TRIALS`, without a finder
    python scripts/benchmarks/recipes.py work                # the arithmetic of an image of each size; no run

Runs: `short` is `train.py --recipe short`, `best` is `train.py --recipe best`; `bfloat16` and `float32` are
the tutorial's recipe with one cycle in one epoch; `tune` is a pilot: a recipe on trial, with 5,000 training
images held out; `trial` likewise, but up to a rate that is given, to compare single ingredients. Each run is
a separate process, timed from start to end: run nothing beside it if the time matters. Each is kept in
scripts/benchmarks/recipes.json when it ends; what `short:1` and `best:1` write is kept in docs/results as
well.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from measuring import ROOT, keep, kept

from pyimagesearch_lr.pipeline import plan
from pyimagesearch_lr.pipeline.plan import CONV_MUON, Recipe, Stage

JSON = Path(__file__).with_suffix(".json")
SEEDS = (1, 2, 3)
RUNS = [f"{kind}:{seed}" for kind in ("short", "best", "bfloat16", "float32") for seed in SEEDS]
SHOWN = ("short:1", "best:1")
ONE_EPOCH = {"NUM_EPOCHS": 1, "STEP_SIZE": 0.5}
SETTINGS: dict[str, dict] = {
    "short": {},
    "best": {},
    "bfloat16": {**ONE_EPOCH, "DTYPE_POLICY": "mixed_bfloat16"},
    "float32": {**ONE_EPOCH, "DTYPE_POLICY": "float32"},
    "tune": {"HOLD_OUT": 5000},
    "trial": {"HOLD_OUT": 5000, "MIN_LR": 1e-5},
}
BEFORE = Recipe(  # the short recipe when the pilots began; a copy, so that they stay what they were
    (Stage(20, 7), Stage(28, 7)),
    epochs_up=4,
    epochs_down=10,
    nesterov=True,
    weight_decay=5e-3,
    label_smoothing=0.1,
    dropout=0.2,
    whole_pixels=True,
)
MIRRORED = dataclasses.replace(BEFORE, alternate_flips=True, mirrored_mean=True)
EIGHT = dataclasses.replace(
    MIRRORED,
    stages=(Stage(16, 4), Stage(20, 2), Stage(28, 2)),
    epochs_up=2,
    epochs_down=6,
    batch_size=128,
)
SEVEN = dataclasses.replace(
    MIRRORED, stages=(Stage(16, 3), Stage(20, 2), Stage(28, 2)), epochs_up=2, epochs_down=5
)
PILOTS = {
    "before": BEFORE,
    "flat": dataclasses.replace(BEFORE, stages=(Stage(28, 14),)),
    "eight128": EIGHT,
    "seven64": SEVEN,
}

SPRINT = dataclasses.replace(  # a recipe of few epochs, to compare single ingredients with
    MIRRORED, stages=(Stage(20, 4),), epochs_up=1, epochs_down=3, batch_size=128
)
GENTLE = dataclasses.replace(SPRINT, shift=0.05, dropout=0.0)
MUON = dataclasses.replace(GENTLE, optimizer=CONV_MUON)
TWELVE = dataclasses.replace(MUON, stages=(Stage(20, 7), Stage(28, 5)), epochs_up=1.5, epochs_down=10.5)
TRIALS = {  # each with its highest learning rate
    "sgd": (0.1, SPRINT),
    "sgd_gentle": (0.1, GENTLE),
    "muon": (0.02, MUON),
    "muon_random_flips": (0.02, dataclasses.replace(MUON, alternate_flips=False)),
    "muon_64": (0.02, dataclasses.replace(MUON, batch_size=64)),
    "muon_7": (
        0.02,
        dataclasses.replace(MUON, stages=(Stage(20, 5), Stage(28, 2)), epochs_up=1.5, epochs_down=5.5),
    ),
    "muon_12": (0.018, TWELVE),
    "muon_12_erased": (0.018, dataclasses.replace(TWELVE, erased=0.25)),
}


def main(names: list[str]) -> None:
    for name in names or [name for name in RUNS if name not in kept(JSON)]:
        keep(JSON, name, work() if name == "work" else measured(name))


def work() -> dict:
    """The multiplications of the network's convolutions for one image, forwards, by the size of its side."""
    from pyimagesearch_lr import MiniGoogLeNet

    found = {}
    for size in sorted({stage.image_size for recipe in plan.COMPLETE.values() for stage in recipe.stages}):
        model = MiniGoogLeNet.build(width=size, height=size, depth=1, classes=10)
        kernels = [layer for layer in model.layers if hasattr(layer, "kernel") and layer.kernel.ndim == 4]
        places = [math.prod(layer.output.shape[1:3]) for layer in kernels]
        pairs = zip(kernels, places, strict=True)
        found[str(size)] = sum(math.prod(layer.kernel.shape) * each for layer, each in pairs)
    return {"multiplications": found}


def measured(name: str) -> dict:
    """One run in a separate process: its results and the seconds from start to end."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        subprocess.run([sys.executable, Path(__file__).resolve(), "--run", name, folder], check=True)
        seconds = time.perf_counter() - started
        (path,) = Path(folder).rglob("training.json")
        if name in SHOWN:
            _show(path.parent, ROOT / "docs/results" / name.split(":")[0])
        results = json.loads(path.read_text(encoding="utf-8"))
        curves = [json.loads(path.read_text(encoding="utf-8")) for path in Path(folder).rglob("lrfind.json")]
    wanted = ("training", "test_accuracy", "held_out_accuracy", "accuracy_without_mirror_images")
    wanted += ("settings", "versions", "history")
    recipe = _recipe(name)
    return {
        "seconds": round(seconds, 1),
        "finder_seconds": sum(curve["metadata"]["seconds"] for curve in curves),
        **{key: results[key] for key in wanted if key in results},
        **({} if recipe is None else {"recipe": dataclasses.asdict(recipe)}),
    }


def _show(results: Path, kept: Path) -> None:
    """Keep what a run left, but for its network, beside the documentation."""
    kept.mkdir(exist_ok=True)
    for path in results.iterdir():
        if path.suffix != ".keras":
            shutil.copyfile(path, kept / path.name)


def _recipe(name: str) -> Recipe | None:
    """The complete recipe that a run trains by; None for the tutorial's."""
    kind, *variant, _ = name.split(":")
    if kind == "trial":
        return TRIALS[variant[0]][1]
    return PILOTS[variant[0]] if kind == "tune" else plan.COMPLETE.get(kind)


def run(name: str, folder: str) -> int:
    """The body of such a process."""
    kind, seed = name.split(":")[0], name.split(":")[-1]
    sys.path.insert(0, str(ROOT))
    import config
    from pyimagesearch_lr import pipeline

    if (ROOT / "data/fashion-mnist").is_dir():
        os.environ.setdefault("FASHION_MNIST_DIR", str(ROOT / "data/fashion-mnist"))
    os.chdir(folder)
    values = {key: value for key, value in vars(config).items() if key.isupper()} | SETTINGS[kind]
    recipe = _recipe(name)
    if kind == "tune":
        plan.COMPLETE["short"] = recipe
    if kind == "trial":
        plan.tutorial = lambda settings: recipe
        values |= {"MAX_LR": TRIALS[name.split(":")[1]][0], "BATCH_SIZE": recipe.batch_size}
        values |= {"NUM_EPOCHS": recipe.epochs, "STEP_SIZE": recipe.epochs_of_cycle / 2}
    complete = "short" if kind == "tune" else kind
    argv = ["--recipe", complete] if complete in plan.COMPLETE else []
    return pipeline.main(SimpleNamespace(**{**values, "SEED": int(seed)}), argv)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        sys.exit(run(*sys.argv[2:]))
    main(sys.argv[1:])
