"""`output/report.html`: what a run left behind, on one page that needs no other file and no network."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from pyimagesearch_lr import plots
from pyimagesearch_lr.pipeline import report, results
from pyimagesearch_lr.pipeline.examples import Example, Shown
from pyimagesearch_lr.pipeline.plan import title_of
from pyimagesearch_lr.pipeline.report import Picture
from pyimagesearch_lr.pipeline.results import Finding, Phase, Training

NAME = "report.html"
IMAGE_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".svg": "image/svg+xml"}
OF_ONE_PAGE = ("data", "images", "model", "recipe", "quick")
CONFUSION = "Rows: true classes; columns: predicted ones; the stronger the colour, the larger the share."


def write(
    folder: str | os.PathLike, finding: Finding | None = None, training: Training | None = None
) -> Path:
    """Write the page of `folder`, the OUTPUT_DIR of a run.

    A phase that was not part of this run is read from what an earlier run left in the folder, and left out if
    there is nothing usable, or it was of other images, another network or another recipe. To draw the page
    again, call this from the folder in which the runs were started, as relative paths of plots begin there:
    `python -c "from pyimagesearch_lr.pipeline import page; page.write('output')"`.

    Args:
        folder: Path of the folder.
        finding: `Finding` of this run; None if it had no finder.
        training: `Training` of this run; None if it did not train.

    Returns:
        The path of the page.
    """
    path = Path(folder, NAME)
    of_this_run = finding or training
    finding = finding or _of_the_same(of_this_run, results.earlier(Finding, folder))
    training = training or _of_the_same(of_this_run or finding, results.earlier(Training, folder))
    report.save_text(path, render(finding, training))
    return path


def _of_the_same(phase: Finding | Training | None, earlier: Phase | None) -> Phase | None:
    """What an earlier run left, unless it was of something else than this phase."""
    if phase is None or earlier is None:
        return earlier
    now, then = phase.run.settings, earlier.run.settings
    known = [name for name in OF_ONE_PAGE if name in now and name in then]
    return earlier if all(now[name] == then[name] for name in known) else None


def render(finding: Finding | None, training: Training | None) -> str:
    """The page that shows these results, as HTML."""
    runs = {name: phase.run for name, phase in (("finding", finding), ("training", training)) if phase}
    settings = {name: run.settings for name, run in runs.items()}
    versions = {name: run.versions for name, run in runs.items()}
    times = {
        name: {"finished": run.finished, "took": report.duration(run.seconds)} for name, run in runs.items()
    }
    sections = [
        *([_bounds_section(finding)] if finding else []),
        *(_training_sections(training) if training else []),
        _section("settings", "Settings", _side_by_side(settings, str.upper)),
        _section("versions", "Versions", _side_by_side(versions)),
        _section("times", "Times", _side_by_side(times)),
    ]
    title = title_of(next((run.settings for run in runs.values()), {}))
    return PAGE.substitute(title=escape(title), tiles=_tiles(finding, training), sections="\n".join(sections))


def _tiles(finding: Finding | None, training: Training | None) -> str:
    tiles = {}
    if training:
        tiles[f"{training.evaluated_on} accuracy"] = f"{training.accuracy:.2%}"
        if training.accuracy_without_mirror_images is not None:
            tiles["without the mirror images"] = f"{training.accuracy_without_mirror_images:.2%}"
        tiles["epochs"] = str(len(training.history["loss"]))
        tiles["training took"] = report.duration(training.run.seconds)
    if finding:
        low, high = finding.bounds or ("none", "none")
        tiles.update({"suggested MIN_LR": low, "suggested MAX_LR": high})
        tiles["finding took"] = report.duration(finding.run.seconds)
    return "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in tiles.items())


def _bounds_section(finding: Finding) -> str:
    if finding.bounds:
        low, high = finding.bounds
        answer = f"<pre>MIN_LR = {low}\nMAX_LR = {high}</pre>" + _text(f"Why: {finding.reason}")
    else:
        answer = _text(f"This curve supports no bounds: {finding.reason}")
    curve = finding.curve
    caption = "Loss against learning rate, with the suggested bounds shaded."
    if curve.probes:
        caption += " A circle is a rate that was tried in a short training, the star the one taken."
    swept = f"{len(curve):,} steps from {curve.lrs[0]:.1e} to {curve.lrs[-1]:.1e}"
    return _section(
        "bounds",
        "Learning-rate bounds",
        _figure(finding.plot, caption),
        answer,
        _text(f"The sweep: {swept}; {finding.ending}."),
    )


def _training_sections(training: Training) -> list[str]:
    last = {name: f"{values[-1]:.4f}" for name, values in training.history.items()}
    shown = [name for name in last if f"val_{name}" in last]
    ends = [[name, last[name], last[f"val_{name}"]] for name in shown]
    return [
        _section(
            "training",
            "Training",
            _text(training.description + "."),
            _table(["after the last epoch", "training", training.evaluated_on], ends),
            _figure(training.plot, "Loss and accuracy of every epoch."),
            _figure(training.clr_plot, "Learning rate of every step."),
        ),
        _section("report", "Classification report", _scores(training.scores)),
        _section("confusion", "Confusion matrix", _figure(_confusion(training), CONFUSION)),
        *([_examples_section(training.examples)] if training.examples else []),
    ]


def _examples_section(examples: Sequence[Example]) -> str:
    rows = "\n".join(
        f'<tr><th scope="row">{escape(example.name)}</th><td>{_photo(example.picture, example.name)}</td>'
        f"<td>{example.number_of_mistakes:,}</td>"
        f"<td>{''.join(_photo(each, example.name) for each in example.mistakes) or 'none'}</td></tr>"
        for example in examples
    )
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("class", "a picture of it", "mistakes", "the surest mistakes")
    )
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"
    return _section(
        "examples", "A picture of each class, and its worst mistakes", f'<div class="wide">{table}</div>'
    )


def _photo(shown: Shown, name: str) -> str:
    """A picture of the data, with what it was taken for."""
    text = escape(f"{shown.taken_for}, {shown.confidence:.0%}")
    told = escape(f"{name}, taken for {shown.taken_for}" + (f": {shown.file}" if shown.file else ""))
    image = f'<img class="photo" src="data:image/png;base64,{shown.png}" alt="{told}" title="{told}">'
    return f'<figure class="photo">{image}<figcaption>{text}</figcaption></figure>'


def _scores(rows: list[dict[str, Any]]) -> str:
    cells = []
    for row in rows:
        name, *numbers, support = (row[column] for column in report.COLUMNS)
        cells.append([name, *("" if number is None else f"{number:.4f}" for number in numbers), str(support)])
    return _table(["class", *report.COLUMNS[1:]], cells)


def _confusion(training: Training) -> Picture:
    axes = plots.confusion_matrix(training.confusion_matrix, training.run.settings["classes"])
    return Picture("confusion_matrix.png", plots.png_of(axes.figure))


def _side_by_side(phases: dict[str, dict[str, Any]], label: Callable[[str], str] = str) -> str:
    """A table of facts by name, one column per phase."""
    names = dict.fromkeys(name for facts in phases.values() for name in facts)
    rows = [[label(name), *(_shown(facts.get(name, "")) for facts in phases.values())] for name in names]
    return _table(["", *phases], rows)


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _section(name: str, heading: str, *parts: str) -> str:
    return f'<section id="{name}">\n<h2>{heading}</h2>\n' + "\n".join(parts) + "\n</section>"


def _text(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _figure(picture: Picture, caption: str) -> str:
    kind = IMAGE_TYPES.get(Path(picture.path).suffix.lower())
    if kind is None or picture.content is None:
        return _text(f"{caption} The plot is the file {picture.path}.")
    data = base64.b64encode(picture.content).decode("ascii")
    caption = escape(caption)
    image = f'<img src="data:{kind};base64,{data}" alt="{caption}">'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


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
figure.photo { display: inline-block; width: 7rem; margin: 0 0.6rem 0 0; vertical-align: top; }
figure.photo figcaption { font-size: 0.8rem; line-height: 1.25; }
img.photo { width: 5rem; border-radius: 0.3rem; filter: none; image-rendering: pixelated; }
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
