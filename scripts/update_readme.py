"""Write the numbers of README.md from the JSON in output/; `--check` only says whether they are right."""

import json
import re
import sys
from pathlib import Path
from statistics import median

from pyimagesearch_lr import LRCurve

ROOT = Path(__file__).resolve().parents[1]


def main(argv: list[str]) -> int:
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8")
    updated = filled(text)
    if "--check" in argv:
        return int(updated != text)
    path.write_text(updated, encoding="utf-8")
    return 0


def filled(text: str) -> str:
    """README's text with every marked place filled in."""
    sweep = json.loads((ROOT / "output/lrfind.json").read_text(encoding="utf-8"))
    training = json.loads((ROOT / "output/training.json").read_text(encoding="utf-8"))
    epochs = len(training["history"]["loss"])
    suggestion = LRCurve.load(ROOT / "output/lrfind.json").suggest()
    text = _fill(text, "bounds", f"{suggestion.base_lr:.1e} and {suggestion.max_lr:.1e}")
    text = _fill(text, "lrfind_minutes", f"{sweep['metadata']['seconds'] / 60:.0f} minutes")
    text = _fill(text, "epoch_seconds", f"{training['seconds'] / epochs:.0f} s")
    cost = json.loads((ROOT / "scripts/bench_sweep.json").read_text(encoding="utf-8"))
    text = _fill(text, "cost", "\n" + _cost(cost) + "\n")
    return _fill(text, "results", "\n" + _results(training, epochs) + "\n")


def _fill(text: str, name: str, value: str) -> str:
    pattern = rf"(<!-- {name}:begin -->).*?(<!-- {name}:end -->)"
    return re.sub(pattern, lambda match: match[1] + value + match[2], text, flags=re.DOTALL)


def _results(training: dict, epochs: int) -> str:
    history, settings = training["history"], training["settings"]
    rows = {
        "epochs": f"{epochs} | 48",
        "batch size": f"{settings['batch_size']} | 64",
        "learning rate": f"{settings['clr_method']}, {settings['min_lr']:g} to {settings['max_lr']:g} | "
        "triangular, 1e-05 to 0.01",
        "half a cycle": f"{settings['step_size']} epochs | 8 epochs",
        "test accuracy after epoch 1": f"{history['val_accuracy'][0]:.3f} | 0.736",
        "final training loss": f"{history['loss'][-1]:.3f} | 0.076",
        "final training accuracy": f"{history['accuracy'][-1]:.3f} | 0.972",
        "final test loss": f"{history['val_loss'][-1]:.3f} | 0.168",
        "final test accuracy": f"{training['test_accuracy']:.4f} | 0.9452",
        "time an epoch": f"{training['seconds'] / epochs:.0f} s, two shared CPU cores | 112 s, a 2019 GPU",
    }
    lines = ["| MiniGoogLeNet on Fashion-MNIST, all images | this run | the tutorial |", "|---|---|---|"]
    return "\n".join(lines + [f"| {name} | {values} |" for name, values in rows.items()])


def _cost(bench: dict) -> str:
    network, small = bench["minigooglenet"], bench["small"]
    rows = [
        ("MiniGoogLeNet, batch 64: sweep / plain `fit`", _spread(network["sweep_over_fit"]), "1.02"),
        ("small dense network, batch 32: sweep / plain `fit`", _spread(small["sweep_over_fit"]), "0.6"),
        ("the same: a callback at every batch / sweep", _spread(small["usual_way_over_sweep"]), "at least 3"),
        ("peak memory, 100 MB model, Adam, snapshot on disk: sweep / `fit`",
         f"{bench['memory']['on_disk_over_fit']:.2f}", "1.1"),
        ("the same, snapshot in memory", f"{bench['memory']['in_memory_over_fit']:.2f}", ""),
        ("200 to 20,000 steps: largest deviation from a straight line",
         f"{bench['steps']['largest_deviation']:.0%}", "10 %"),
    ]  # fmt: skip
    lines = ["| ratio of times, within one run | median (range of 7) | target |", "|---|---|---|"]
    lines += [f"| {name} | {value} | {target} |" for name, value, target in rows]
    lines += ["", "| parameters | a sweep of 20 steps | of which the snapshot |", "|---|---|---|"]
    for row in bench["size"]["sizes"]:
        seconds = median(row["seconds"])
        lines.append(f"| {row['parameters']:,} | {seconds:.2f} s | {row['snapshot_share']:.0%} |")
    machine = network["machine"]
    versions = f"TensorFlow {machine['tensorflow']}, Keras {machine['keras']}"
    lines += ["", f"{machine['cores']} cores ({machine['processor']}), {versions}, {machine['date']}."]
    return "\n".join(lines)


def _spread(ratio: dict) -> str:
    return f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
