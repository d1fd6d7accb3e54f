"""What the recipes of `train.py` reach on all of Fashion-MNIST, and in what time; several seeds.

Claims measured: the short recipe reaches the tutorial's accuracy in at most half an hour, the finder
included; training in bfloat16 and in float32 ends within noise of each other.

    python scripts/benchmarks/recipes.py                     # every run that is missing, one after another
    python scripts/benchmarks/recipes.py short:1 float32:2   # these, again
    python scripts/benchmarks/recipes.py tune:flat:1         # a variant of the short recipe, on held-out data

Runs: `short` is `train.py --recipe short`; `bfloat16` and `float32` are the tutorial's recipe with one cycle
in one epoch; `tune` tries a variant of the short recipe on 5,000 training images that are held out. Each run
is a separate process, timed from start to end: run nothing beside it if the time matters. Each is kept in
scripts/benchmarks/recipes.json when it ends.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from measuring import ROOT, keep, kept

from pyimagesearch_lr.pipeline import plan
from pyimagesearch_lr.pipeline.plan import Stage

JSON = Path(__file__).with_suffix(".json")
SEEDS = (1, 2, 3)
RUNS = [f"{kind}:{seed}" for kind in ("short", "bfloat16", "float32") for seed in SEEDS]
ONE_EPOCH = {"NUM_EPOCHS": 1, "STEP_SIZE": 0.5}
SETTINGS: dict[str, dict] = {
    "short": {},
    "bfloat16": {**ONE_EPOCH, "DTYPE_POLICY": "mixed_bfloat16"},
    "float32": {**ONE_EPOCH, "DTYPE_POLICY": "float32"},
    "tune": {"HOLD_OUT": 5000},
}
HALF = {  # in half the time
    "stages": (Stage(16, 4), Stage(20, 3), Stage(28, 3)),
    "epochs_up": 3,
    "epochs_down": 7,
    "alternate_flips": True,
    "mirrored_mean": True,
}
VARIANTS: dict[str, tuple[dict, dict]] = {  # changes to the short recipe, and to config.py
    "chosen": ({}, {}),
    "flat": ({"stages": (Stage(28, plan.COMPLETE["short"].epochs),)}, {}),
    "half64": (HALF, {}),
    "half128": (HALF, {"BATCH_SIZE": 128}),
}


def main(names: list[str]) -> None:
    for name in names or [name for name in RUNS if name not in kept(JSON)]:
        keep(JSON, name, measured(name))


def measured(name: str) -> dict:
    """One run in a separate process: its results and the seconds from start to end."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        subprocess.run([sys.executable, Path(__file__).resolve(), "--run", name, folder], check=True)
        seconds = time.perf_counter() - started
        (path,) = Path(folder).rglob("training.json")
        results = json.loads(path.read_text(encoding="utf-8"))
        curves = [json.loads(path.read_text(encoding="utf-8")) for path in Path(folder).rglob("lrfind.json")]
    wanted = ("training", "test_accuracy", "held_out_accuracy", "accuracy_without_mirror_images")
    wanted += ("settings", "versions", "history")
    return {
        "seconds": round(seconds, 1),
        "finder_seconds": sum(curve["metadata"]["seconds"] for curve in curves),
        **{key: results[key] for key in wanted if key in results},
    }


def run(name: str, folder: str) -> int:
    """The body of such a process."""
    kind, *variant, seed = name.split(":")
    sys.path.insert(0, str(ROOT))
    import config
    from pyimagesearch_lr import pipeline

    if (ROOT / "data/fashion-mnist").is_dir():
        os.environ.setdefault("FASHION_MNIST_DIR", str(ROOT / "data/fashion-mnist"))
    os.chdir(folder)
    values = {key: value for key, value in vars(config).items() if key.isupper()} | SETTINGS[kind]
    for each in variant:
        changes, settings = VARIANTS[each]
        plan.COMPLETE["short"] = dataclasses.replace(plan.COMPLETE["short"], **changes)
        values |= settings
    argv = ["--recipe", "short"] if kind in ("short", "tune") else []
    return pipeline.main(SimpleNamespace(**{**values, "SEED": int(seed)}), argv)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        sys.exit(run(*sys.argv[2:]))
    main(sys.argv[1:])
