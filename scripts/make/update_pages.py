"""Write the numbers of README.md and the pages in docs from the results; `--check` says if they are right."""

import csv
import dataclasses
import json
import math
import re
import sys
from math import log10
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from scipy.stats import ttest_ind

from pyimagesearch_lr import LRCurve
from pyimagesearch_lr.probing import STAGES
from pyimagesearch_lr.schedules import ramp_rates
from pyimagesearch_lr.suggest import AS_GOOD, CLEARLY_WORSE, suggest

ROOT = Path(__file__).resolve().parents[2]
NO_FINDERS = ("ours", "grid", "a grid", "Keras's default", "random", "successive", "AutoLRS", "curvature")
NO_FINDERS += ("Prodigy", "DoG", "Schedule-Free", "ScheduleFreeAdamW")  # they have no rate to find
COMPARED = "Sweeps of 200 and 1,000 steps"
CYCLE = 16  # epochs of the tutorial's recipe
BASES = {  # as records have them
    0.25: "a quarter of the highest",
    0.02: "a fiftieth",
    0.001: "a thousandth",
    "finder": "what the finder says, at most a tenth",
}
TARGETS = {"short": (0.945, 13), "best": (0.953, 60)}  # accuracy at least, minutes at most
TRIED, TRIED_LESS, CURVE = "ours, verified in 1200 steps", "ours, verified in 600 steps", "ours: bounds"
LABELS = {
    TRIED: "ours, tried in 1,200 steps",
    TRIED_LESS: "ours, tried in 600 steps",
    CURVE: "ours, the curve alone",
    "ours: constant": "ours, the middle of the cycle",
    "a grid of short cycles": "a grid of 13 short cycles",
}
LENGTHS = (100, 200, 300, 1000)


def main(argv: list[str]) -> int:
    stale = False
    for page, values in PAGES.items():
        path = ROOT / page
        text = path.read_text(encoding="utf-8")
        updated = filled(text, values(ROOT))
        stale |= updated != text
        if "--check" not in argv:
            path.write_text(updated, encoding="utf-8")
    return int(stale and "--check" in argv)


def filled(text: str, values: dict[str, str]) -> str:
    """The text with every marked place filled in; a value of several lines stands on lines of its own."""
    for name, value in values.items():
        shown = f"\n{value}\n" if "\n" in value else value
        pattern = rf"(<!-- {name}:begin -->).*?(<!-- {name}:end -->)"
        text, places = re.subn(pattern, lambda match: match[1] + shown + match[2], text, flags=re.DOTALL)  # noqa: B023
        if not places:
            raise ValueError(f"no place is marked <!-- {name}:begin --> and <!-- {name}:end -->")
    return text


def readme(root: Path) -> dict[str, str]:
    score = _benchmark(root, "suggestions")
    return {
        "bounds": _found_bounds(root),
        **_times(root),
        "results": _results_in_short(
            _tutorial(root, "training"), _found_training(root), _benchmark(root, "recipes")
        ),
        "suggestion_tasks": _suggestion_tasks(score),
        "answer": _answer(score),
        "cost_summary": _cost_summary(_benchmark(root, "sweep")),
    }


def pipeline(root: Path) -> dict[str, str]:
    return {"bounds": _found_bounds(root), **_times(root)}


def _found_bounds(root: Path) -> str:
    suggestion = LRCurve.load(root / "docs/results/tutorial/lrfind.json").suggest()
    return f"{suggestion.base_lr:.1e} and {suggestion.max_lr:.1e}"


def _times(root: Path) -> dict[str, str]:
    """How long each command takes."""
    sweep, training = _tutorial(root, "lrfind"), _tutorial(root, "training")
    epochs = len(training["history"]["loss"])
    seconds = [median(row["seconds"] for row in _history(root, name)) for name in ("tutorial", "auto")]
    quick, slow = (f"{each:.0f} s an epoch, {epochs * each / 3600:.1f} hours" for each in sorted(seconds))
    runs = _benchmark(root, "recipes")
    return {
        "lrfind_minutes": f"{sweep['metadata']['seconds'] / 60:.0f} minutes",
        "training_hours": f"{quick}; another time {slow}",
        **{f"{name}_minutes": _mean_minutes(_runs_of(runs, name)) for name in TARGETS},
        **{
            f"{name}_seconds": _rounded_time(median(bench["seconds"]))
            for name, bench in _benchmark(root, "commands").items()
        },
    }


def own_images(root: Path) -> dict[str, str]:
    run = _benchmark(root, "pictures")["streamed"]
    size, side = run["image_size"], run["side"]
    return {
        "pictures": (
            f"{run['pictures']:,} JPEG pictures of {side} x {side} pixels, resized to {size} x {size}, took "
            f"{run['peak_mb'] / 1000:.1f} GB at most; reading them took "
            f"{_spread(run['streamed_over_decoding'])} times as long as decoding alone on two processor "
            f"cores, and {_spread(run['augmented_over_decoding'])} with augmentation"
        )
    }


def benchmarks(root: Path) -> dict[str, str]:
    runs, score = _benchmark(root, "recipes"), _benchmark(root, "suggestions")
    training = _tutorial(root, "training")
    return {
        "suggestion_tasks": _suggestion_tasks(score),
        "suggestion_summary": _suggestion_summary(score, _benchmark(root, "choosing")),
        "suggestion_trainings": _suggestion_trainings(root, score),
        "suggestion_bases": _suggestion_bases(_records(root, "tune") + _records(root, "report")),
        "suggestion_reports": _suggestion_reports(score, _benchmark(root, "reports")),
        "suggestions": _suggestions(score),
        "suggestion_lengths": _suggestion_lengths(score),
        "choosing": _choosing(_benchmark(root, "choosing")),
        "curve_rule": _curve_rule(_benchmark(root, "curve_rule")),
        "lengths": _lengths(_benchmark(root, "lengths")),
        "suggestion_targets": _suggestion_targets(score),
        "results": _results(training, len(training["history"]["loss"])),
        "both_bounds": _both_bounds(root),
        **{f"{name}_recipe": _complete_recipe(runs, name) for name in TARGETS},
        "best_before": _best_before(runs["best_600:1"]),
        "pilots_number": str(sum(name.startswith(("pilot:", "tune:", "trial:")) for name in runs)),
        "trials": _trials(runs),
        "shifted": _gain_of_shifted(runs),
        "pilots": _pilots(runs),
        "before": _short_before(runs),
        "training_cost": _training_cost(_benchmark(root, "training")),
        "precisions": _precisions(runs),
        "lrfind_steps": _lrfind_steps(_benchmark(root, "lrfind_steps")),
        "cost_summary": _cost_summary(_benchmark(root, "sweep")),
        "cost": _cost(_benchmark(root, "sweep")),
        "backend_cost": _backend_cost(_benchmark(root, "backends")),
    }


def articles(root: Path) -> dict[str, str]:
    """The table of every article."""
    tables = {}
    for number, rows in ((1, _article_1), (2, _article_2), (3, _article_3), (5, _article_5)):
        (path,) = (root / "docs/results/articles").glob(f"article_{number}_*.json")
        run = json.loads(path.read_text(encoding="utf-8"))
        lines = ["| | the article | here |", "|---|---|---|"]
        lines += [f"| {name} | {article} | {here} |" for name, article, here in rows(run)]
        versions = f"TensorFlow {run['versions']['tensorflow']}, Keras {run['versions']['keras']}"
        tables[f"article_{number}"] = "\n".join([*lines, "", versions + "."])
    training = _tutorial(root, "training")
    return {**tables, "article_4": _results(training, len(training["history"]["loss"]))}


def backends(root: Path) -> dict[str, str]:
    path = root / "docs/results/test_matrix.json"
    ran = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    kinds = ("versions", "backends", "everything")
    return {name: _matrix(list(ran.get(name, {}).values())) for name in kinds}


def _matrix(rows: list[dict]) -> str:
    """How the tests ended, one row per environment."""
    if not rows:
        return "Not run to the end yet."
    counts = ("passed", "skipped", "failed")
    lines = ["| Keras | backend | Python | passed | skipped | failed | date |", "|---" * 7 + "|"]
    for row in rows:
        of_backend = f"{row['backend']} {row.get(row['backend'], '')}".strip()
        cells = [row["keras"], of_backend, row["python"], *(f"{row.get(count, 0):,}" for count in counts)]
        lines.append(f"| {' | '.join(cells)} | {row['date']} |")
    return "\n".join(lines)


PAGES = {
    "docs/own_images.md": own_images,
    "README.md": readme,
    "docs/pipeline.md": pipeline,
    "docs/benchmarks.md": benchmarks,
    "docs/articles.md": articles,
    "docs/backends.md": backends,
}


def _tutorial(root: Path, name: str) -> dict:
    return json.loads((root / "docs/results/tutorial" / f"{name}.json").read_text(encoding="utf-8"))


def _benchmark(root: Path, name: str) -> Any:
    return json.loads((root / "scripts" / "benchmarks" / f"{name}.json").read_text(encoding="utf-8"))


def _rounded_time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


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
        "target for it: at least 0.945": f"{'met' if training['test_accuracy'] >= 0.945 else 'missed'} | ",
        "time per epoch": f"{training['seconds'] / epochs:.0f} s, two shared CPU cores | 112 s, a 2019 GPU",
        "all epochs": f"{training['seconds'] / 60:.0f} minutes | 90 minutes",
    }
    lines = ["| MiniGoogLeNet on Fashion-MNIST, all images | this run | the tutorial |", "|---|---|---|"]
    return "\n".join(lines + [f"| {name} | {values} |" for name, values in rows.items()])


def _both_bounds(root: Path) -> str:
    """The tutorial's recipe with its bounds and with the finder's, at the end of each cycle."""
    runs = {name: _history(root, name) for name in ("tutorial", "auto")}
    head = [
        "test accuracy, test loss",
        "the tutorial's bounds, 1e-05 to 0.01",
        f"the finder's, {_found_bounds(root)}",
    ]
    rows = []
    for epoch in range(CYCLE, len(runs["tutorial"]) + 1, CYCLE):
        reached = [run[epoch - 1] for run in runs.values()]
        cells = [f"{row['val_accuracy']:.4f}, {row['val_loss']:.3f}" for row in reached]
        rows.append((f"after {epoch} epochs", *cells))
    return _table(head, rows)


def _found_training(root: Path) -> dict:
    """The tutorial's recipe with the finder's bounds."""
    return json.loads((root / "docs/results/auto/training.json").read_text(encoding="utf-8"))


def _history(root: Path, name: str) -> list[dict[str, float]]:
    """The epochs of a run in docs/results."""
    with (root / "docs/results" / name / "history.csv").open(encoding="utf-8", newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def _results_in_short(training: dict, found: dict, runs: dict) -> str:
    """The committed runs and the complete recipes beside the tutorial."""
    rates, cores = "1e-05 to 0.01", "two shared CPU cores"
    columns = {
        "MiniGoogLeNet on Fashion-MNIST": (
            "epochs",
            "learning rates",
            "final test accuracy",
            "final test loss",
            "time",
            "test accuracy without mirror images",
            "on",
        ),
    }
    for name, run in (("its recipe here", training), ("with the finder's bounds", found)):
        by_median = f"{_epochs(run) * median(run['history']['seconds']) / 60:.0f} minutes, another machine"
        columns[name] = (
            _epochs(run),
            f"{run['settings']['min_lr']:g} to {run['settings']['max_lr']:g}",
            f"{run['test_accuracy']:.4f}",
            f"{run['history']['val_loss'][-1]:.3f}",
            by_median if run is found else _mean_minutes([run]),  # that was stopped and paused
            "",
            cores,
        )
    for name in TARGETS:
        done = _runs_of(runs, name)
        columns[f"`make {name}`, {'mean of ' * (len(done) > 1)}{_seeds(done)}"] = (
            _epochs(done[0]),
            "those the finder gave",
            f"{mean(run['test_accuracy'] for run in done):.4f}",
            f"{mean(run['history']['val_loss'][-1] for run in done):.3f}, of smoothed labels",
            f"{_mean_minutes(done)}, finder included",
            f"{mean(run['accuracy_without_mirror_images'] for run in done):.4f}",
            cores,
        )
    columns["the tutorial"] = 48, rates, "0.9452", "0.168", "90 minutes", "", "a 2019 GPU"
    return _table(list(columns), list(zip(*columns.values(), strict=True)))


def _answer(score: dict) -> str:
    """Our two answers, each of the best other finders with its best method, and no finder at all."""
    rows = _rows_of(score, COMPARED)
    best: dict[str, str] = {}
    for name in sorted(rows, key=lambda name: rows[name]["mean"]):
        if not name.startswith(NO_FINDERS):
            best.setdefault(name.split()[0], name)
    names = [TRIED, TRIED_LESS, CURVE, *list(best.values())[:2], "Keras's default rate"]
    cells = [[f"{rows[name][key]:.1f}" for key in ("mean", "median", "worst")] for name in names]
    within = [f"{rows[name]['within 1 point']:.0%}" for name in names]
    return _table(
        ["points below the grid's best", "mean", "median", "worst", "within 1 point"],
        [
            (LABELS.get(name, name), *row, share)
            for name, row, share in zip(names, cells, within, strict=True)
        ],
    )


def _table(head: list[str], rows: list[tuple]) -> str:
    lines = [f"| {' | '.join(map(str, row))} |" for row in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


def _cost_summary(cost: dict) -> str:
    network, small = (cost[name]["sweep_over_fit"]["median"] for name in ("minigooglenet", "small"))
    return (
        f"{network:.2f} times as long as `fit` for MiniGoogLeNet, {small:.2f} times for a small dense network"
    )


def _cost(bench: dict) -> str:
    network, small = bench["minigooglenet"], bench["small"]
    rows = [
        ("MiniGoogLeNet, batch 64: sweep / plain `fit`", _spread(network["sweep_over_fit"]), "1.02"),
        ("small dense network, batch 32: sweep / plain `fit`", _spread(small["sweep_over_fit"]), "0.6"),
        ("the same: a callback at every batch / sweep", _spread(small["usual_way_over_sweep"]), "at least 3"),
        ("the same: the leanest callback / sweep", _spread(small["leanest_way_over_sweep"]), ""),
        ("the same: a callback at every batch / the training step alone, on one batch, in one execution",
         _spread(small["usual_way_over_step_alone"]), ""),
        *_plain_cost(bench),
        ("peak memory, 100 MB model, Adam, snapshot on disk: sweep / `fit`",
         f"{bench['memory']['on_disk_over_fit']:.2f}", "1.1"),
        ("the same, snapshot in memory", f"{bench['memory']['in_memory_over_fit']:.2f}", ""),
        ("200 to 20,000 steps: largest deviation from a straight line",
         f"{bench['steps']['largest_deviation']:.0%}", "10 %"),
    ]  # fmt: skip
    lines = ["| ratio of times, within one run | median (range) | target |", "|---|---|---|"]
    lines += [f"| {name} | {value} | {target} |" for name, value, target in rows]
    size = bench["size"]
    other = size["against"]
    head = (
        "parameters",
        "a sweep of 20 steps",
        "of which the snapshot",
        f"version {other['commit']}",
        "of which",
    )
    lines += ["", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for parameters in size["snapshot_share"]:
        cells = [
            cell
            for each in (size, other)
            for cell in (
                f"{median(each['seconds'][parameters]):.3f} s",
                f"{each['snapshot_share'][parameters]:.0%}",
            )
        ]
        lines.append(f"| {int(parameters):,} | {' | '.join(cells)} |")
    machine = network["machine"]
    versions = f"TensorFlow {machine['tensorflow']}, Keras {machine['keras']}"
    dates = f"{machine['date']}; lengths and sizes {size['machine']['date']}"
    lines += ["", f"{machine['cores']} cores ({machine['processor']}), {versions}, {dates}."]
    return "\n".join([*lines, "", _before(bench)])


def _backend_cost(bench: dict) -> str:
    """What a sweep costs on each backend, against that backend's own `fit`."""
    small, network = bench["small"], bench["minigooglenet"]
    head = (
        "small network: sweep / `fit`",
        "the same: sweep / a callback by hand",
        "MiniGoogLeNet: sweep / `fit`",
    )
    lines = [f"| backend | {' | '.join(head)} |", "|---" * 4 + "|"]
    for backend, row in small["backends"].items():
        ratios = (
            row["sweep_over_fit"],
            row["sweep_over_by_hand"],
            network["backends"][backend]["sweep_over_fit"],
        )
        lines.append(f"| {backend} {row['version']} | {' | '.join(map(_spread, ratios))} |")
    steps = " and ".join(f"{bench[name]['settings']['steps']:,}" for name in ("small", "minigooglenet"))
    machine = small["machine"]
    lines += [
        "",
        f"Arrays; {steps} steps, float32, on the processor. Keras {machine['keras']}, {machine['date']}.",
    ]
    return "\n".join(lines)


def _before(bench: dict) -> str:
    """What the previous version took, called in turn with this one, if that was measured."""
    titles = {"minigooglenet": "MiniGoogLeNet", "small": "the small network"}
    measured = {title: bench[name]["against"] for name, title in titles.items() if "against" in bench[name]}
    told = [
        f"version {other['commit']} for {title}: {_spread(other['sweep_over_fit'])}"
        for title, other in measured.items()
    ]
    return (
        f"Sweep / plain `fit` in the same run, in turn with these, by {'; by '.join(told)}." if told else ""
    )


def _plain_cost(bench: dict) -> list[tuple[str, str, str]]:
    names = {"sweep": "`find`", "callback": "`LRFinder` in a fit"}
    return [
        (f"the same, by public calls alone: {label} / a callback written by hand that makes the same calls",
         _spread(bench["plain"][f"{name}_over_by_hand"]), "1.1")
        for name, label in names.items()
    ]  # fmt: skip


def _training_cost(bench: dict) -> str:
    """Every target of the training's speed beside what was reached."""
    step, epoch, stall, durable = (bench[name] for name in ("step", "epoch", "stall", "durability"))
    ratios = step["ratios"]
    rows = [
        ("our step / the tutorial's port in stock Keras 3, float32", ratios["ours_over_stock_float32"], 0.27),
        ("our step / PyTorch, channels_last, bfloat16", ratios.get("ours_over_torch_bfloat16"), 0.8),
        ("our step / the convolutions' arithmetic", ratios["ours_over_arithmetic"], 1.5),
        (
            "our epoch with data and augmentation / the step alone",
            epoch["ratios"]["pipeline_over_step"],
            1.05,
        ),
        ("steps whose loss is watched / steps alone", durable["ratios"]["watched_over_alone"], 1.01),
        ("the checkpoint that ends an epoch / the epoch", durable["end_of_epoch_over_epoch"], 0.01),
        ("longest stall between epochs or at the end of `fit`, s", stall["largest"], 0.5),
        ("peak memory / the tutorial's float64 arrays", bench["memory"]["ratios"]["ours_over_tutorial"], 0.5),
        ("start to first step / import and build", bench["start"]["ratios"]["first_step_over_build"], 1.3),
    ]
    lines = [
        "| batch 64; steps are on one batch in memory | median (range) | target, at most | |",
        "|---|---|---|---|",
    ]
    for name, reached, target in rows:
        if reached is not None:
            value = reached if isinstance(reached, float) else reached["median"]
            shown = (
                _spread(reached)
                if isinstance(reached, dict)
                else f"{reached:{'.2f' if reached > 0.01 else '.1g'}}"
            )
            verdict = "met" if value <= target else "missed"
            lines.append(f"| {name} | {shown} | {target:g} | {verdict} |")
    machine, seconds = step["machine"], step["seconds_a_step"]
    milliseconds = ", ".join(
        f"{name.replace('_', ' ')} {1000 * median(v):.0f}" for name, v in seconds.items()
    )
    lines += [
        "",
        f"Milliseconds per step: {milliseconds}. An epoch of 60,000 images: {epoch['epoch_seconds']:.0f} s. "
        f"{machine['cores']} cores ({machine['processor']}), TensorFlow {machine['tensorflow']}, "
        f"Keras {machine['keras']}, {machine['date']}.",
        "",
        "The time of the step's operations, by the profiler: "
        + ", ".join(f"{kind} {share:.0%}" for kind, share in bench["profile"]["shares"].items())
        + ".",
    ]
    return "\n".join(lines)


def _complete_recipe(runs: dict, name: str) -> str:
    """Accuracy and time of a complete recipe beside their targets."""
    done, (accuracy, minutes) = _runs_of(runs, name), TARGETS[name]
    accuracies = [run["test_accuracy"] for run in done]
    alone = [run["accuracy_without_mirror_images"] for run in done]
    longest = max(run["seconds"] / 60 for run in done)
    verdicts = ["met" if holds else "missed" for holds in (mean(accuracies) >= accuracy, longest <= minutes)]
    bounds = "; ".join(f"{run['settings']['min_lr']:g}, {run['settings']['max_lr']:g}" for run in done)
    rows = [
        ("mean test accuracy", f"{mean(accuracies):.4f}", f"at least {accuracy:g}", verdicts[0]),
        ("each seed's", ", ".join(f"{value:.4f}" for value in accuracies), "", ""),
        ("without mirror images", f"{mean(alone):.4f}", "", ""),
        ("longest run, finder included, minutes", f"{longest:.1f}", f"at most {minutes}", verdicts[1]),
        ("each seed's", _minutes_of(done, "seconds"), "", ""),
        ("of which the finder, minutes", _minutes_of(done, "finder_seconds"), "", ""),
        ("seconds of an epoch, median of each size", _seconds_of_sizes(done), "", ""),
        ("multiplications of convolutions while training", _work_of(done[0], runs["work"]), "", ""),
        ("bounds that the finder gave", bounds, "", ""),
    ]
    stages = done[0]["training"].split(", triangular")[0]
    lines = [f"| `--recipe {name}`, {_seeds(done)}: {stages} | | target | |", "|---|---|---|---|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _epochs(run: dict) -> int:
    return len(run["history"]["loss"])


def _seeds(runs: list[dict]) -> str:
    return f"{len(runs)} seed{'s' * (len(runs) > 1)}"


def _mean_minutes(runs: list[dict]) -> str:
    return f"{mean(run['seconds'] for run in runs) / 60:.0f} minutes"


def _minutes_of(runs: list[dict], what: str) -> str:
    return ", ".join(f"{run[what] / 60:.1f}" for run in runs)


def _seconds_of_sizes(runs: list[dict]) -> str:
    """How long an epoch of each image size took."""
    seconds: dict[int, list[float]] = {}
    for run in runs:
        sizes = [size for size, epochs in run["recipe"]["stages"] for _ in range(epochs)]
        for size, taken in zip(sizes, run["history"]["seconds"], strict=True):
            seconds.setdefault(size, []).append(taken)
    return ", ".join(f"{median(taken):.0f} of {size} pixels" for size, taken in seconds.items())


def _best_before(run: dict) -> str:
    return (
        f"{run['settings']['max_lr']:g} and reached {run['test_accuracy']:.4f} in "
        f"{run['seconds'] / 60:.0f} minutes"
    )


def _work_of(run: dict, work: dict) -> str:
    """Of 60,000 images an epoch, forwards and for both gradients."""
    an_epoch = {int(size): 3 * 60_000 * each for size, each in work["multiplications"].items()}
    total = sum(an_epoch[size] * epochs for size, epochs in run["recipe"]["stages"])
    return f"{total:.2g}".replace("e+", " x 10^")


def _trials(runs: dict) -> str:
    """What single ingredients gave in a few epochs."""
    columns = ("epochs", "batches of", "optimizer, highest rate", "shift, dropout, erased", "flips")
    columns += ("accuracy", "without mirror", "loss")
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for run in (run for name, run in runs.items() if name.startswith("trial:")):
        recipe = run["recipe"]
        sizes = ", ".join(f"{epochs} of {size}" for size, epochs in recipe["stages"])
        optimizer = "SGD" if recipe["optimizer"] == "sgd" else "ConvMuon"
        momentum = "" if recipe["momentum"] == 0.9 else f", momentum {recipe['momentum']:g}"
        chosen = f"{optimizer}, {run['settings']['max_lr']:g}{momentum}"
        cells = (
            f"{sizes} pixels",
            str(run["settings"]["batch_size"]),
            f"({chosen})" if "note" in run else chosen,
            ", ".join(f"{recipe[setting]:g}" for setting in ("shift", "dropout", "erased")),
            "in turn" if recipe["alternate_flips"] else "at random",
            f"{run['held_out_accuracy']:.4f}",
            f"{run['accuracy_without_mirror_images']:.4f}",
            f"{run['history']['val_loss'][-1]:.3f}",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _gain_of_shifted(runs: dict) -> str:
    """What the mean over more than an image and its mirror image added to the accuracy of the trials."""
    gains = [
        accuracy - run["held_out_accuracy"]
        for run in _runs_of(runs, "trial")
        for accuracy in run.get("accuracy_with_shifted_images", {}).values()
    ]
    return f"{min(gains):+.4f} to {max(gains):+.4f} to the accuracy, {mean(gains):+.4f} in the mean"


def _pilots(runs: dict) -> str:
    """What the pilots towards a faster recipe reached."""
    lines = ["| pilot | stages | batch | max_lr found | accuracy | without mirror |", "|---" * 6 + "|"]
    for name, run in runs.items():
        if not name.startswith("tune:"):
            continue
        sizes = ", ".join(f"{epochs} of {size}" for size, epochs in run["recipe"]["stages"])
        accuracy, alone = run["held_out_accuracy"], run["accuracy_without_mirror_images"]
        cells = (run["settings"]["batch_size"], f"{run['settings']['max_lr']:g}", accuracy, alone)
        lines.append(f"| `{name}` | {sizes} pixels | " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def _short_before(runs: dict) -> str:
    """What the short recipe reached before this one."""
    done = _runs_of(runs, "before")
    minutes = median(run["seconds"] for run in done) / 60
    accuracy = mean(run["test_accuracy"] for run in done)
    epochs = len(done[0]["history"]["loss"])
    return f"{accuracy:.4f} in {epochs} epochs and {minutes:.0f} minutes (mean of {len(done)} seeds)"


def _precisions(runs: dict) -> str:
    """Accuracy of the same short training in both precisions."""
    kinds = {kind: _runs_of(runs, kind) for kind in ("float32", "bfloat16")}
    accuracies = {kind: [run["test_accuracy"] for run in done] for kind, done in kinds.items()}
    lines = [
        f"| {kinds['float32'][0]['training']} | test accuracy of each seed | mean ± standard deviation |",
        "|---|---|---|",
    ]
    for kind, reached in accuracies.items():
        each = ", ".join(f"{value:.4f}" for value in reached)
        lines.append(f"| {kind} | {each} | {mean(reached):.4f} ± {stdev(reached):.4f} |")
    difference = mean(accuracies["bfloat16"]) - mean(accuracies["float32"])
    error = math.hypot(*(stdev(reached) / math.sqrt(len(reached)) for reached in accuracies.values()))
    p_value = ttest_ind(*accuracies.values(), equal_var=False).pvalue
    lines += [
        "",
        f"bfloat16 less float32: {difference:+.4f}, with a standard error of {error:.4f} (Welch's test: "
        f"p = {p_value:.2f}).",
    ]
    return "\n".join(lines)


def _runs_of(runs: dict, kind: str) -> list[dict]:
    return [run for name, run in sorted(runs.items()) if name.split(":")[0] == kind]


def _lrfind_steps(bench: dict) -> str:
    """The bounds of shorter sweeps, and of float32, beside those of the tutorial's 2,814 steps."""
    found = {name: _bounds_of(sweep) for name, sweep in bench.items()}
    whole = found["mixed_bfloat16:2814"]
    lines = ["| precision | steps | base_lr | max_lr | decades from 2,814 steps |", "|---|---|---|---|---|"]
    for name, rates in sorted(found.items(), key=lambda item: bench[item[0]]["steps"]):
        apart = [f"{abs(math.log10(rate / other)):.2f}" for rate, other in zip(rates, whole, strict=True)]
        cells = [name.split(":")[0], f"{bench[name]['steps']:,}", *(f"{rate:.1e}" for rate in rates)]
        lines.append("| " + " | ".join([*cells, ", ".join(apart)]) + " |")
    return "\n".join(lines)


def _bounds_of(sweep: dict) -> tuple[float, float]:
    lrs = ramp_rates(1e-10, 10.0, sweep["steps"])[: len(sweep["raw_losses"])]
    bounds = suggest(lrs, [float(loss) for loss in sweep["raw_losses"]])
    return bounds.base_lr, bounds.max_lr


def _suggestion_tasks(score: dict) -> str:
    return f"{len(score['tasks'])} tasks, 5 seeds, sweeps of 200 and of 1,000 steps from 1e-8 to 100"


def _suggestion_trainings(root: Path, score: dict) -> str:
    """How long the reported tasks are trained, and how far seeds differ at their best rates."""
    records = [_benchmark(root, f"suggestions/{name}") for name in score["tasks"]]
    steps = [record["budget_steps"] for record in records]
    noise = [task["noise"] for task in score["tasks"].values()]
    return (
        f"The trainings are short, {min(steps):,} to {max(steps):,} steps, so that trying costs as much as a "
        "training or more; the standard deviation of the metric over seeds, at a task's best rate, is "
        f"{median(noise):.2f} points in the median and {max(noise):.1f} at most"
    )


def _records(root: Path, split: str) -> list[dict]:
    """What is recorded of each task."""
    paths = sorted((root / "scripts/benchmarks/suggestions").glob("*.json"))
    records = [_benchmark(root, f"suggestions/{path.stem}") for path in paths]
    return [record for record in records if record["split"] == split]


def _suggestion_bases(records: list[dict]) -> str:
    """What cycles from other lowest rates lose against those from a tenth of the highest."""
    lost: dict[str, list[float]] = {name: [] for name in BASES.values()}
    for record in (record for record in records if "bases" in record):
        of_a_tenth = record["response"] + record.get("near_best", [])
        for key, name in BASES.items():
            rows = [row for row in record["bases"] if row.get("of", row["share"]) == key]
            tried = {(row["max_lr"], row["seed"]) for row in rows}
            tenth = [row for row in of_a_tenth if (row["max_lr"], row["seed"]) in tried]
            if rows:
                lost[name].append(_metric_of(tenth) - _metric_of(rows))
    rows = [
        (name, len(points), *(f"{of(points):.2f}" for of in (mean, median, max)),
         f"{mean(each < 1 for each in points):.0%}")
        for name, points in lost.items() if points
    ]  # fmt: skip
    head = ["lowest rate of the cycle", "tasks", "points lost: mean", "median", "most", "less than a point"]
    return _table(head, rows)


def _metric_of(rows: list[dict]) -> float:
    return mean(float(row["metric"]) for row in rows)


def _suggestion_reports(score: dict, earlier: list[dict]) -> str:
    """The means of the tried answer in each report, the last one included."""
    rows = _rows_of(score, COMPARED)
    now = {"date": "the tables above", "tasks": len(score["tasks"]), "commit": ""}
    now |= {f"mean in {n} steps": rows[f"ours, verified in {n} steps"]["mean"] for n in (600, 1200)}
    lines = ["| report | tasks | mean, 1,200 steps | 600 steps |", "|---" * 4 + "|"]
    for row in [*earlier, now]:
        means = [row[f"mean in {n} steps"] for n in (1200, 600)]
        shown = ["" if mean is None else f"{mean:.2f}" for mean in means]
        report = f"{row['date']}, {row['commit']}" if row["commit"] else row["date"]
        lines.append(f"| {report} | {row['tasks']} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _suggestion_summary(score: dict, choosing: list[dict]) -> str:
    ours, best, best_mean = _mean_regrets(score)
    tried, own = _rows_of(score, COMPARED)[TRIED], _chosen(choosing, 1200)
    return (
        f"{tried['median']:.1f} points in the median and {tried['mean']:.1f} in the mean for bounds tried in "
        f"1,200 steps; {ours:.1f} in the mean for the curve's own bounds, and {best_mean:.1f} for the best "
        f"other finder ({best}), on the reported tasks. On the {own['tasks']} tasks that the rule for trying "
        f"was chosen on it is {own['mean']:.2f}"
    )


def _mean_regrets(score: dict) -> tuple[float, str, float]:
    """That of our bounds, and the best other finder with its own."""
    means = {name: row["mean"] for name, row in _rows_of(score, COMPARED).items()}
    best = min((name for name in means if not name.startswith(NO_FINDERS)), key=means.get)
    return means["ours: bounds"], best, means[best]


def _chosen(choosing: list[dict], steps: int) -> dict:
    """That of the library's rule, which is checked to be the one that it has now."""
    rule = {
        **dataclasses.asdict(STAGES),
        "as_good": AS_GOOD,
        "clearly_worse": CLEARLY_WORSE,
        "held_out": False,
        "same_batches": True,
        "lower": 0.0,
        "instead": None,
    }
    (row,) = [row for row in choosing if row["steps"] == steps and rule.items() <= row.items()]
    return row


def _choosing(choosing: list[dict]) -> str:
    """The library's rule and others that differ from it in one thing."""
    lines = [
        "| | 600 steps: mean | median task | worst task | 1,200 steps: mean | median task | worst task |",
        "|---" * 7 + "|",
    ]
    for name in dict.fromkeys(row["rule"] for row in choosing):
        rows = {row["steps"]: row for row in choosing if row["rule"] == name}
        cells = [name]
        for row in (rows[600], rows[1200]):
            cells += [f"{row['mean']:.2f}", f"{row['median task']:.2f}", f"{row['worst task']:.1f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _curve_rule(found: dict) -> str:
    """The curve's rule beside the best of its kind, and what choosing costs on tasks that are left out."""
    names = {
        "the rule": "the rule",
        "the best of all": f"the best of {found['rules']} such rules on these tasks: their floor",
        "the best on all other tasks": "for each task, the best of them on all others",
    }
    lines = [f"| {found['tasks']} tuning tasks | mean | median task | worst task |", "|---" * 4 + "|"]
    for key, name in names.items():
        row = found[key]
        points = f"{row['mean']:.2f} | {row['median task']:.2f} | {row['worst task']:.1f}"
        lines.append(f"| {name} | {points} |")
    return "\n".join(lines)


def _lengths(tasks: dict) -> str:
    """The best rate of each length of the training, and the power of the length that it goes with."""
    steps = list(next(iter(tasks.values()))["best_lr"])
    head = ["best max_lr after", *(f"{int(each):,} steps" for each in steps), "power of the length"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, task in tasks.items():
        power = "{mean:.2f} ± {standard_error:.2f}".format(**task["exponent"])
        rates = [f"{task['best_lr'][each]:.1e}" for each in steps]
        lines.append(f"| {' | '.join([f'`{name}`', *rates, power])} |")
    return "\n".join(lines)


def _suggestions(score: dict) -> str:
    rows = _rows_of(score, COMPARED)
    shown = ("mean", "median", "worst", "within 1 point", "diverged", "spread, decades", "no answer")
    head = ("method", *shown, "steps")
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, row in rows.items():
        points = [f"{row[key]:.1f}" for key in shown[:3]]
        apart = "" if row["spread, decades"] is None else f"{row['spread, decades']:.2f}"
        shares = [f"{row['within 1 point']:.0%}", f"{row['diverged']:.0%}", apart]
        no_answer = "" if name.endswith("no rate") else f"{row['no answer']:.0%}"
        last = [no_answer, f"{row['steps it cost']:.0f}"]
        lines.append("| " + " | ".join([LABELS.get(name, name), *points, *shares, *last]) + " |")
    return "\n".join(lines)


def _suggestion_lengths(score: dict) -> str:
    """Mean points lost by the length of the sweep."""
    tables = {steps: _rows_of(score, f"Sweeps of {steps} steps") for steps in LENGTHS}
    rows = []
    for name in (TRIED, TRIED_LESS, CURVE, "fastai minimum", "dataiku", "fastai valley"):
        means = [f"{table[name]['mean']:.1f}" if name in table else "" for table in tables.values()]
        rows.append((LABELS.get(name, name), *means))
    return _table(["mean points lost, by steps of the sweep", *(f"{steps:,}" for steps in LENGTHS)], rows)


def _suggestion_targets(score: dict) -> str:
    """Every target of both answers beside what was reached."""
    rows = _rows_of(score, COMPARED)
    bounds, tried = rows[CURVE], rows[TRIED]
    others = [row for name, row in rows.items() if not name.startswith(NO_FINDERS)]
    search = min(rows[name]["mean"] for name in ("successive halving", "random search"))
    targets = [
        ("tried, 1,200 steps: mean", tried["mean"], 0.5),
        (
            "... worst, that of a grid search of one seed",
            tried["worst"],
            rows["grid search, one seed"]["worst"],
        ),
        ("... mean, 0.7 of that of the best search of equal cost", tried["mean"], 0.7 * search),
        ("... spread between seeds, decades", tried["spread, decades"], 0.15),
        ("... share diverged", tried["diverged"], 0.0),
        ("... sweeps of 200 against 1,000, decades, mean", tried["200 vs 1000: mean"], 0.25),
        ("tried, 600 steps: mean", rows[TRIED_LESS]["mean"], 0.9),
        ("... spread between seeds, decades", rows[TRIED_LESS]["spread, decades"], 0.15),
        ("... share diverged", rows[TRIED_LESS]["diverged"], 0.0),
        (
            "curve alone: mean, the lowest of the other finders'",
            bounds["mean"],
            min(r["mean"] for r in others),
        ),
        ("... worst, the lowest of the other finders'", bounds["worst"], min(r["worst"] for r in others)),
        ("... spread between seeds, decades", bounds["spread, decades"], 0.15),
        ("... share diverged", bounds["diverged"], 0.0),
        ("... sweeps of 200 against 1,000, decades, mean", bounds["200 vs 1000: mean"], 0.25),
        ("... the same, median", bounds["200 vs 1000: median"], 0.25),
    ]
    lines = ["| | reached | target, at most | |", "|---|---|---|---|"]
    for name, reached, target in targets:
        verdict = "met" if reached <= target else "missed"
        lines.append(f"| {name} | {reached:.3g} | {target:.3g} | {verdict} |")
    return "\n".join(lines)


def _rows_of(score: dict, table: str) -> dict[str, dict]:
    return {row["method"]: row for row in score["tables"][table]}


def _spread(ratio: dict) -> str:
    return f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})"


def _article_1(run: dict) -> list[tuple]:
    return [
        ("data", "MNIST", run["data"]),
        ("good range", "1e-03 to 1e-02", f"{run['base_lr']:.1e} to {run['max_lr']:.1e}"),
        ("after the search", "rebuild and recompile the model", "go on training it"),
        ("weights changed by the search", "", "no" if run["weights_unchanged"] else "yes"),
        (f"test accuracy after {run['settings']['train_epochs']} epochs in the range", "",
         f"{run['test_accuracy']:.4f}"),
    ]  # fmt: skip


def _article_2(run: dict) -> list[tuple]:
    article, wide = run["sweeps"].values()
    rows = [("data", "MNIST", run["data"])]
    for label in ("SGD", "Adam"):
        steepest = (
            f"10^{log10(article[label]['steepest_lr']):.2f}, 10^{log10(wide[label]['steepest_lr']):.2f}"
        )
        best = f"{article[label]['best_loss']:.3f}, {wide[label]['best_loss']:.3f}"
        rows.append(
            (f"{label} falls fastest: from 1e-04, from 1e-07", "10^-3.95" * (label == "Adam"), steepest)
        )
        rows.append((f"{label}'s lowest smoothed loss: from 1e-04, from 1e-07", "", best))
    best = min(article, key=lambda label: article[label]["best_loss"])
    return [*rows, ("better of the two, from 1e-04", "Adam, clearly", best)]


def _article_3(run: dict) -> list[tuple]:
    rows = [("data", "", run["data"]), ("best rate later in training", "lower", "see below")]
    for when, found in run["searches"].items():
        bounds = "none" if found["base_lr"] is None else f"{found['base_lr']:.1e} to {found['max_lr']:.1e}"
        reported = "about 1e-02" if when == "before training" else ""
        rows.append((f"{when}: falls fastest at", reported, f"{found['steepest_lr']:.1e}"))
        rows.append((f"{when}: largest rate that still trains", "", f"{found['largest_lr']:.1e}"))
        rows.append((f"{when}: bounds", "", bounds))
    return rows


def _article_5(run: dict) -> list[tuple]:
    reported = {"default": "76", "article": "79", "sweep": "", "range test": ""}
    names = {
        "default": "Adam's default",
        "article": "the article's rate",
        "sweep": "rate of the same sweep here",
        "range test": "steepest of our range test",
    }
    rows = [("rate of the lowest steady loss, one rate per epoch", "about 0.007", f"{run['sweep_lr']:.4f}")]
    for name, found in run["rates"].items():
        accuracy = f"{100 * found['mean']:.2f} ± {100 * found['std']:.2f}"
        label = f"test accuracy in %, {names[name]}, {found['lr']:.2g}"
        rows.append((label, reported[name], accuracy))
        if name != "default":
            difference = f"{found['difference_mean']:+.2f} ± {found['difference_std']:.2f}"
            default = run["rates"]["default"]["accuracies"]
            pairs = zip(found["accuracies"], default, strict=True)
            seeds = ", ".join(f"{100 * (here - there):+.1f}" for here, there in pairs)
            rows.append(("... over the default, in points (each seed)", "+3" * (name == "article"),
                         f"{difference} ({seeds})"))  # fmt: skip
    runs = f"{len(run['settings']['seeds'])}; mean ± standard deviation"
    return [*rows, ("trainings per rate", "1", runs)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
