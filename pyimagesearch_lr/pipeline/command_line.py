"""The options of a run: as flags of `train.py`, and as commands of `pyimagesearch-lr`."""

from __future__ import annotations

import argparse

from pyimagesearch_lr.pipeline.plan import RECIPES, TUTORIAL
from pyimagesearch_lr.pipeline.process import EXIT_CODES

TRAIN_PY, PROGRAM = "python train.py", "pyimagesearch-lr"


def parse(argv: list[str] | None, program: str | None = None) -> argparse.Namespace:
    """Read the flags of `train.py`; end the process with its usage if they are wrong, or for `--help`.

    Args:
        argv: List of strings, the arguments; None takes those of the process.
        program: String, what the user typed before them; None is `python train.py`.

    Returns:
        Namespace of `lr_find`, `auto`, `recipe`, `quick`, `resume`, `restart`, `verify`, and `program`.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        description="Find learning-rate bounds for a network on images, by default MiniGoogLeNet on "
        "Fashion-MNIST, then train with a cyclical learning rate between the bounds in config.py.",
        epilog=EXIT_CODES,
        allow_abbrev=False,
    )
    parser.add_argument(
        "-f",
        "--lr-find",
        type=int,
        default=0,
        choices=(0, 1),
        metavar="1",
        help="1: find the bounds, do not train (default: 0)",
    )
    parser.add_argument("--auto", action="store_true", help="find the bounds, then train with them")
    add_options(parser, trains=True)
    asked = parser.parse_args(argv)
    only_finds = asked.lr_find > 0
    for name in ("auto", "resume", "restart"):
        if only_finds and getattr(asked, name):
            parser.error(f"--lr-find 1 does not train: it cannot be combined with --{name}")
    asked.program = program or TRAIN_PY
    return checked(parser, asked)


def add_options(parser: argparse.ArgumentParser, *, trains: bool) -> None:
    """Add the options that the ways to run have in common.

    Args:
        parser: `argparse.ArgumentParser`.
        trains: Bool, whether it trains, rather than only finds bounds.
    """
    parser.add_argument(
        "--recipe",
        choices=RECIPES,
        default=TUTORIAL,
        help="short: find the bounds, then train to the tutorial's accuracy in a fraction of its epochs; "
        "best: the same in more epochs, to a higher accuracy; neither uses rates and epochs of config.py "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="both phases in a minute or two, on the small embedded sample"
    )
    if trains:
        parser.add_argument(
            "--resume",
            action="store_true",
            help="continue a training that was stopped, from its last epoch",
        )
        parser.add_argument(
            "--restart", action="store_true", help="start over, and delete what a stopped training left"
        )
    parser.add_argument(
        "--verify",
        action=argparse.BooleanOptionalAction,
        help="try the rates around the curve's answer in short trainings, or do not "
        "(default: LRFIND_VERIFY_STEPS of config.py)",
    )


def checked(parser: argparse.ArgumentParser, asked: argparse.Namespace) -> argparse.Namespace:
    """Check that the options do not contradict each other."""
    if asked.resume and asked.restart:
        parser.error("--resume continues and --restart starts over: choose one")
    return asked


def of_command(parser: argparse.ArgumentParser, asked: argparse.Namespace) -> argparse.Namespace:
    """What `find`, `train` or `auto` asks for, in the words of the flags of `train.py`."""
    flags = {"lr_find": int(asked.command == "find"), "auto": asked.command == "auto"}
    known = {"resume": False, "restart": False, **vars(asked)}
    return checked(parser, argparse.Namespace(**known, **flags, program=f"{PROGRAM} {asked.command}"))
