"""The program `pyimagesearch-lr`, also `python -m pyimagesearch_lr`: find bounds, train, predict."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyimagesearch_lr.curve import LRCurve

PROGRAM = "pyimagesearch-lr"
COMMANDS = {
    "init": "write a config.py with a comment on every setting into the current folder",
    "find": "find the learning-rate bounds of the network in config.py, without training",
    "train": "train between the bounds of config.py, and report",
    "auto": "find the bounds, then train between them",
    "show": "print what a saved curve says, and draw it",
    "predict": "say which class pictures belong to, by a trained model",
}
EXIT_OK, EXIT_NO_SUGGESTION = 0, 1
EPILOG = "`pyimagesearch-lr COMMAND --help` lists the options of a command."
SHOW_OPTIONS = ("--method", "--plot", "--skip-begin", "--skip-end")


def main(argv: list[str] | None = None) -> int:
    """Do what a command asks for.

    Args:
        argv: List of strings, the arguments; None takes those of the process.

    Returns:
        The exit code. 0: done; 1: no suggestion; 2: something cannot be used; `train` and `auto` have those
        of `pipeline.main`.
    """
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] not in (*COMMANDS, "-h", "--help"):
        old = _as_of_0_1(argv)
        if old is not None:
            return old
    parser = _parser()
    asked = parser.parse_args(argv)
    return {"init": _init, "show": _show, "predict": _predict}.get(asked.command, _run)(asked, parser)


def console() -> int:
    """The command as a process; the exit code of `main`."""
    from pyimagesearch_lr.pipeline.process import as_a_command

    return as_a_command(main)


def _parser() -> argparse.ArgumentParser:
    from pyimagesearch_lr.pipeline.command_line import EXIT_CODES, add_options
    from pyimagesearch_lr.suggest import METHODS

    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Find learning-rate bounds, train between them, and use what was trained.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    made = {}
    for name, does in COMMANDS.items():
        made[name] = commands.add_parser(
            name,
            help=does,
            description=f"{does[0].upper()}{does[1:]}.",
            epilog=EXIT_CODES,
            allow_abbrev=False,
        )
    for name in ("find", "train", "auto"):
        add_options(made[name], trains=name != "find")
    show = made["show"]
    show.add_argument("curve", type=Path, help="a .json or .csv file that LRCurve.save wrote")
    show.add_argument("--method", choices=("verified", *METHODS), help="only this method (default: all)")
    show.add_argument("--plot", type=Path, help="where to draw (default: beside the curve, .png)")
    show.add_argument("--skip-begin", type=int, default=0, metavar="N", help="first rates to leave out")
    show.add_argument("--skip-end", type=int, default=0, metavar="N", help="last rates to leave out")
    predict = made["predict"]
    predict.add_argument("model", type=Path, help="the model.keras that a training saved")
    predict.add_argument(
        "pictures", type=Path, nargs="+", metavar="PICTURE", help="picture, or folder of pictures"
    )
    predict.add_argument(
        "--csv", type=Path, metavar="FILE", help="write file, class and confidence to FILE as well"
    )
    predict.add_argument(
        "--convert",
        action="store_true",
        help="turn pictures upright, lay alpha on white, take 8 of 16 bits and the first frame",
    )
    predict.add_argument(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="import this module of the current folder first: the model's own layers are in it",
    )
    return parser


def _run(asked: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from pyimagesearch_lr import pipeline
    from pyimagesearch_lr.pipeline import command_line

    return pipeline.run_in(None, command_line.of_command(parser, asked))


def _init(asked: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from pyimagesearch_lr.files import in_a_line
    from pyimagesearch_lr.pipeline import config_file
    from pyimagesearch_lr.pipeline.process import failed

    try:
        path = config_file.write(os.getcwd())
    except config_file.UnusableConfig as error:
        return failed(str(error))
    except OSError as error:
        return failed(in_a_line(error))
    print(f"[INFO] {path} is written. Set DATA in it to a folder of pictures, or leave it, then:")
    print(f"  {PROGRAM} find    finds the bounds; put them into config.py")
    print(f"  {PROGRAM} train   trains between them; {PROGRAM} auto does both")
    return EXIT_OK


def _predict(asked: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from pyimagesearch_lr.pipeline import prediction

    return prediction.run(
        asked.model, asked.pictures, csv_path=asked.csv, convert=asked.convert, modules=asked.modules
    )


# A saved curve ---------------------------------------------------------------------------------------------


def _show(args: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Print the suggestions of a saved curve and draw it."""
    from pyimagesearch_lr.curve import LRCurve
    from pyimagesearch_lr.files import in_a_line
    from pyimagesearch_lr.pipeline.process import failed

    try:
        curve = LRCurve.load(args.curve)
        plot = args.plot or args.curve.with_suffix(".png")
        _draw(curve, args, plot)
    except OSError as error:
        return failed(in_a_line(error))
    except ValueError as error:
        return failed(str(error))
    rates = f", {curve.lrs[0]:.1e} to {curve.lrs[-1]:.1e}" if len(curve) else ""
    print(f"[INFO] {args.curve}: {len(curve)} rates{rates}, ended by {curve.stop_reason!r}")
    print(f"[INFO] plot: {plot}")
    answers = [_answer(curve, method) for method in _methods(curve, args.method)]
    return EXIT_OK if any(answers) else EXIT_NO_SUGGESTION


def _methods(curve: LRCurve, method: str | None) -> list[str]:
    from pyimagesearch_lr.suggest import METHODS

    if method is not None:
        return [method]
    return [*(["verified"] if curve.probes else []), *METHODS]


def _answer(curve: LRCurve, method: str) -> bool:
    """Print what one method says; return whether it is an answer."""
    from pyimagesearch_lr.suggest import NoSuggestion

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
    from pyimagesearch_lr import plots
    from pyimagesearch_lr.files import remove_leftovers
    from pyimagesearch_lr.pipeline import report

    title = plots.literal(args.curve.name)
    axes: Any = curve.plot(skip_begin=args.skip_begin, skip_end=args.skip_end, title=title)
    if path.suffix.lower() not in report.PLOT_ENDINGS:
        endings = ", ".join(report.PLOT_ENDINGS)
        raise ValueError(f"--plot must end in one of {endings}. Received: {str(path)!r}.")
    remove_leftovers(path.parent, path.name)
    report.save_figure(path, axes.figure)


# As it was called in 0.1 -----------------------------------------------------------------------------------


def _as_of_0_1(argv: list[str]) -> int | None:
    """Do what version 0.1 did with these arguments, and warn; None if 0.1 would not have taken them."""
    options = {argument.partition("=")[0] for argument in argv}
    if argv[0].startswith("-") and not options & set(SHOW_OPTIONS):
        from pyimagesearch_lr import pipeline
        from pyimagesearch_lr.pipeline.command_line import parse

        asked = parse(argv, PROGRAM)
        command = "find" if asked.lr_find else "auto" if asked.auto else "train"
        _warn(argv, f"{PROGRAM} {command}")
        return pipeline.run_in(None, asked)
    if (
        argv[0].startswith("-")
        or Path(argv[0]).suffix.lower() in (".json", ".csv")
        or os.path.isfile(argv[0])
    ):
        _warn(argv, f"{PROGRAM} show")
        parser = _parser()
        return _show(parser.parse_args(["show", *argv]), parser)
    return None


def _warn(argv: list[str], instead: str) -> None:
    from pyimagesearch_lr.pipeline.process import say

    typed = " ".join([PROGRAM, *argv])
    say(f"[WARNING] `{typed}` will be removed in version 0.3. Type `{instead}` with its options.")


if __name__ == "__main__":
    sys.exit(console())
