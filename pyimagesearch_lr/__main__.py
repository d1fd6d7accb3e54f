"""`python -m pyimagesearch_lr lrfind.json`: what a saved curve says, and its plot, without training again."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pyimagesearch_lr.curve import LRCurve
from pyimagesearch_lr.files import in_a_line, remove_leftovers
from pyimagesearch_lr.suggest import METHODS, NoSuggestion

EXIT_OK, EXIT_NO_SUGGESTION, EXIT_BAD_INPUT = 0, 1, 2
IMAGES = (".png", ".pdf", ".svg", ".jpg")


def main(argv: list[str] | None = None) -> int:
    """Print the suggestions of a saved curve and draw it.

    Args:
        argv: List of strings, the arguments; None takes those of the process.

    Returns:
        The exit code: 0 done; 1 the method asked for finds no answer; 2 the file cannot be read, or the plot
        not be written.
    """
    args = _parse(argv)
    try:
        curve = LRCurve.load(args.curve)
        plot = args.plot or args.curve.with_suffix(".png")
        _draw(curve, args, plot)
    except OSError as error:
        print(f"[ERROR] {in_a_line(error)}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except ValueError as error:
        print(f"[ERROR] {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    rates = f", {curve.lrs[0]:.1e} to {curve.lrs[-1]:.1e}" if len(curve) else ""
    print(f"[INFO] {args.curve}: {len(curve)} rates{rates}, ended by {curve.stop_reason!r}")
    print(f"[INFO] plot: {plot}")
    answers = [_answer(curve, method) for method in _methods(curve, args.method)]
    return EXIT_OK if any(answers) else EXIT_NO_SUGGESTION


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m pyimagesearch_lr",
        description="What a saved learning-rate curve says, and its plot.",
        allow_abbrev=False,
    )
    parser.add_argument("curve", type=Path, help="a .json or .csv file that LRCurve.save wrote")
    parser.add_argument("--method", choices=("verified", *METHODS), help="only this method (default: all)")
    parser.add_argument("--plot", type=Path, help="where to draw (default: beside the curve, .png)")
    parser.add_argument("--skip-begin", type=int, default=0, metavar="N", help="first rates to leave out")
    parser.add_argument("--skip-end", type=int, default=0, metavar="N", help="last rates to leave out")
    return parser.parse_args(argv)


def _methods(curve: LRCurve, method: str | None) -> list[str]:
    if method is not None:
        return [method]
    return [*(["verified"] if curve.probes else []), *METHODS]


def _answer(curve: LRCurve, method: str) -> bool:
    """Print what one method says; return whether it is an answer."""
    try:
        suggestion = curve.suggest(method)
    except NoSuggestion as reason:
        print(f"{method:>15}  no answer: {reason}")
        return False
    is_constant = suggestion.base_lr == suggestion.max_lr
    rates = (
        f"{suggestion.max_lr:.1e}" if is_constant else f"{suggestion.base_lr:.1e} to {suggestion.max_lr:.1e}"
    )
    spread = "" if suggestion.spread is None else f" (spread over sweeps: {suggestion.spread:.2f} decades)"
    print(f"{method:>15}  {rates:<18}  {suggestion.reason}{spread}")
    return True


def _draw(curve: LRCurve, args: argparse.Namespace, path: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    from pyimagesearch_lr.pipeline import report

    title = args.curve.name.replace("$", r"\$")  # a file name is no formula
    axes = curve.plot(skip_begin=args.skip_begin, skip_end=args.skip_end, title=title)
    if path.suffix.lower() not in IMAGES:
        raise ValueError(f"--plot must end in one of {', '.join(IMAGES)}. Received: {str(path)!r}.")
    remove_leftovers(path.parent, path.name)
    report.save_figure(path, axes.figure)


if __name__ == "__main__":
    from pyimagesearch_lr.pipeline import as_a_command

    sys.exit(as_a_command(main))
