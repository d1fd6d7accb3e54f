"""`output/report.html`: what a run left behind, on one page that needs no other file and no network."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from pyimagesearch_lr import plots
from pyimagesearch_lr.curve import LRCurve
from pyimagesearch_lr.pipeline import report
from pyimagesearch_lr.suggest import NoSuggestion

NAME = "report.html"
TITLE = "MiniGoogLeNet on Fashion-MNIST"
IMAGE_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".svg": "image/svg+xml"}
SCORES = ("precision", "recall", "f1-score", "support")
CELL = 10  # characters of a number in scikit-learn's report


def write(folder: str | os.PathLike) -> Path:
    """Write the page of `folder` from what is in it: lrfind.json, training.json, report.txt and the plots.

    A phase that was not run, or whose files are not those of a run, is left out. The runs call this; to draw
    the page again, call it from the folder they were started in, which relative paths of plots begin at:
    `python -c "from pyimagesearch_lr.pipeline import page; page.write('output')"`.

    Args:
        folder: Path, OUTPUT_DIR of the run.

    Returns:
        The path of the page.
    """
    path = Path(folder, NAME)
    report.save_text(path, render(gather(folder)))
    return path


def gather(folder: str | os.PathLike) -> dict[str, Any]:
    """What `render` shows, as plain data: strings, numbers, lists and dicts.

    Returns:
        Dict with "finding" and "training", each a dict, or None where that phase was not run.
    """
    return {
        "finding": _read(_finding, Path(folder, "lrfind.json")),
        "training": _read(_training, Path(folder, "training.json")),
    }


def read_report(text: str) -> list[list[str]]:
    """The rows of a printed classification report: name, precision, recall, F1 score and support.

    Example:

    >>> read_report('''              precision    recall  f1-score   support
    ...
    ...   ankle boot     0.9806    0.9620    0.9712      1000
    ...
    ...     accuracy                         0.9366     10000''')
    [['ankle boot', '0.9806', '0.9620', '0.9712', '1000'], ['accuracy', '', '', '0.9366', '10000']]
    """
    rows = []
    for line in filter(None, text.splitlines()[1:]):
        name_ends = len(line) - CELL * len(SCORES)
        cells = [line[start : start + CELL] for start in range(name_ends, len(line), CELL)]
        rows.append([cell.strip() for cell in (line[:name_ends], *cells)])
    return rows


def render(facts: dict[str, Any]) -> str:
    """The page that shows what `gather` returns, as HTML."""
    finding, training = facts["finding"], facts["training"]
    phases = {name: phase for name, phase in facts.items() if phase is not None}
    sections = [
        *(_finding_sections(finding) if finding else []),
        *(_training_sections(training) if training else []),
        _section("settings", "Settings", _side_by_side(phases, "settings", str.upper)),
        _section("versions", "Versions", _side_by_side(phases, "versions")),
        _section("times", "Times", _side_by_side(phases, "times")),
    ]
    return PAGE.substitute(title=TITLE, tiles=_tiles(finding, training), sections="\n".join(sections))


def _read(phase: Callable[[Path], dict[str, Any]], path: Path) -> dict[str, Any] | None:
    """The facts of a phase, None where there are none: a page must not end a run whose results are saved."""
    try:
        return phase(path)
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _finding(path: Path) -> dict[str, Any]:
    curve = LRCurve.load(path)
    facts = {
        **_facts_of_run(curve.metadata),
        "plot": _image(curve.metadata["settings"]["lrfind_plot_path"]),
        "bounds": None,
        "swept": f"{len(curve):,} steps from {curve.lrs[0]:.1e} to {curve.lrs[-1]:.1e}",
        "stop_reason": curve.stop_reason,
    }
    try:
        suggestion = curve.suggest()
    except NoSuggestion as reason:
        return {**facts, "reason": str(reason)}
    bounds = [f"{suggestion.base_lr:.1e}", f"{suggestion.max_lr:.1e}"]
    return {**facts, "bounds": bounds, "reason": suggestion.reason}


def _training(path: Path) -> dict[str, Any]:
    saved = json.loads(path.read_text(encoding="utf-8"))
    settings, confusion = saved["settings"], saved.get("confusion_matrix")
    text = path.with_name("report.txt").read_text(encoding="utf-8")
    return {
        **_facts_of_run(saved),
        "evaluated_on": "held-out" if "held_out_accuracy" in saved else "test",
        "accuracy": saved["held_out_accuracy"] if "held_out_accuracy" in saved else saved["test_accuracy"],
        "history": saved["history"],
        "description": saved.get("training") or _cycles(settings, saved["history"]),
        "plot": _image(settings["training_plot_path"]),
        "clr_plot": _image(settings["clr_plot_path"]),
        "report": read_report(text),
        "confusion_plot": _confusion_plot(confusion, settings["classes"]) if confusion else None,
    }


def _cycles(settings: dict[str, Any], history: dict[str, list]) -> str:
    """What was trained, for results saved before they said it themselves."""
    return (
        f"{len(history['loss'])} epochs, {settings['clr_method']} learning rate between "
        f"{settings['min_lr']:g} and {settings['max_lr']:g}, half a cycle of {settings['step_size']} epochs"
    )


def _facts_of_run(saved: dict[str, Any]) -> dict[str, Any]:
    times = {"finished": saved.get("finished", "not recorded"), "took": report.duration(saved["seconds"])}
    return {"settings": saved["settings"], "versions": saved["versions"], "times": times}


def _confusion_plot(counts: list[list[int]], class_names: list[str]) -> dict[str, str]:
    axes = plots.confusion_matrix(counts, class_names)
    return {"name": "confusion matrix", "data": _data_uri("image/png", plots.png_of(axes.figure))}


def _image(path: str) -> dict[str, str]:
    """The name of an image file, and its content unless there is none that a browser shows."""
    kind = IMAGE_TYPES.get(Path(path).suffix.lower())
    if kind is None or not Path(path).exists():
        return {"name": path}
    return {"name": path, "data": _data_uri(kind, Path(path).read_bytes())}


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _tiles(finding: dict[str, Any] | None, training: dict[str, Any] | None) -> str:
    tiles = {}
    if training:
        tiles[f"{training['evaluated_on']} accuracy"] = f"{training['accuracy']:.2%}"
        tiles["epochs"] = str(len(training["history"]["loss"]))
        tiles["training took"] = training["times"]["took"]
    if finding:
        low, high = finding["bounds"] or ["none", "none"]
        tiles.update({"suggested MIN_LR": low, "suggested MAX_LR": high})
        tiles["finding took"] = finding["times"]["took"]
    return "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in tiles.items())


def _finding_sections(finding: dict[str, Any]) -> list[str]:
    if finding["bounds"]:
        low, high = finding["bounds"]
        bounds = f"<pre>MIN_LR = {escape(low)}\nMAX_LR = {escape(high)}</pre>" + _text(
            f"Why: {finding['reason']}"
        )
    else:
        bounds = _text(f"This curve supports no bounds: {finding['reason']}")
    swept = _text(f"The sweep: {finding['swept']}; why it stopped: {finding['stop_reason']}.")
    figure = _figure(finding["plot"], "Loss against learning rate, with the suggested bounds shaded.")
    return [_section("bounds", "Learning-rate bounds", figure, bounds, swept)]


def _training_sections(training: dict[str, Any]) -> list[str]:
    history = training["history"]
    last = {name: f"{float(values[-1]):.4f}" for name, values in history.items()}
    ends = [[name, last[name], last[f"val_{name}"]] for name in ("loss", "accuracy")]
    confusion = "Rows: true classes; columns: predicted ones; the stronger the colour, the larger the share."
    return [
        _section(
            "training",
            "Training",
            _text(training["description"] + "."),
            _table(["after the last epoch", "training", training["evaluated_on"]], ends),
            _figure(training["plot"], "Loss and accuracy of every epoch."),
            _figure(training["clr_plot"], "Learning rate of every step."),
        ),
        _section("report", "Classification report", _table(["class", *SCORES], training["report"])),
        _section("confusion", "Confusion matrix", _figure(training["confusion_plot"], confusion)),
    ]


def _side_by_side(phases: dict[str, dict[str, Any]], part: str, label: Callable[[str], str] = str) -> str:
    """A table of one part of both phases' facts, a column a phase."""
    names = dict.fromkeys(name for phase in phases.values() for name in phase[part])
    rows = [
        [label(name), *(_shown(phase[part].get(name, "")) for phase in phases.values())] for name in names
    ]
    return _table(["", *phases], rows)


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _section(name: str, heading: str, *parts: str) -> str:
    return f'<section id="{name}">\n<h2>{heading}</h2>\n' + "\n".join(parts) + "\n</section>"


def _text(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _figure(image: dict[str, str] | None, caption: str) -> str:
    if image is None:
        return _text("This training was saved before its confusion matrix was.")
    if "data" not in image:
        return _text(f"{caption} The plot is the file {image['name']}.")
    caption = escape(caption)
    return f'<figure><img src="{image["data"]}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for name, *cells in rows
    )
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    return f'<div class="wide">{table}</div>'


PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<link rel="icon" href="data:,">
<style>
:root { --ink: #1c2430; --faint: #5d6b7c; --paper: #ffffff; --card: #f4f6f9; --line: #dde3ea; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ee; --faint: #9aa7b6; --paper: #14181e; --card: #1d232b; --line: #323b47; }
  img { filter: invert(0.92) hue-rotate(180deg); }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 66rem; padding: 1.5rem 1rem 4rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 1.7rem; line-height: 1.2; }
h2 { margin: 2.5rem 0 0.75rem; padding-bottom: 0.3rem; font-size: 1.2rem;
  border-bottom: 1px solid var(--line); }
header p, figcaption { color: var(--faint); }
header p { margin: 0.3rem 0 1.25rem; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: 0.75rem; margin: 0; }
dl div { background: var(--card); border-radius: 0.5rem; padding: 0.7rem 0.9rem; }
dt { color: var(--faint); font-size: 0.85rem; }
dd { margin: 0; font-size: 1.05rem; font-weight: 600; }
pre { background: var(--card); border-radius: 0.5rem; padding: 0.8rem 1rem; overflow-x: auto; }
figure { margin: 1rem 0; }
figcaption { font-size: 0.9rem; }
img { display: block; width: 100%; max-width: 48rem; height: auto; border-radius: 0.5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.95rem; }
th, td { padding: 0.3rem 0.9rem 0.3rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { font-weight: 500; white-space: nowrap; }
thead th { color: var(--faint); font-weight: 400; }
#report, #training { --side: right; }
td, thead th:not(:first-child) { text-align: var(--side, left); padding: 0.3rem 0.6rem; }
#report td, #training td, dd { white-space: nowrap; }
@media (max-width: 32rem) {
  table { font-size: 0.8rem; }
  td, thead th:not(:first-child) { padding: 0.3rem; }
}
</style>
</head>
<body>
<header>
<h1>$title</h1>
<p>Learning-rate bounds and cyclical training: one run, one page.</p>
<dl>$tiles</dl>
</header>
$sections
</body>
</html>
""")
