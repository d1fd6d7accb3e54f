"""The application: find the bounds for MiniGoogLeNet on Fashion-MNIST, then train between them."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from typing import Any

from pyimagesearch_lr.pipeline.data import UnusableData
from pyimagesearch_lr.pipeline.plan import RECIPES, TUTORIAL, Plan, SettingError
from pyimagesearch_lr.pipeline.terminal import info
from pyimagesearch_lr.pipeline.training import run

EXIT_BAD_INPUT, EXIT_INTERRUPTED = 2, 130


def main(config: Any, argv: list[str] | None = None) -> int:
    """Run what the command line asks for.

    Args:
        config: Module or object with the UPPER_CASE settings of config.py.
        argv: List of strings, the arguments; None takes those of the process.

    Returns:
        The exit code: 0 done; 1 the curve supports no suggestion and `--auto` was asked for; 2 a setting or
        the data cannot be used; 130 interrupted.
    """
    asked = parse(argv)
    try:
        plan = Plan.made(config, asked)
        plan.settings.make_folders()
        if asked.resume and not plan.resume:
            info("nothing to resume, starting anew")
        return run(plan)
    except (SettingError, UnusableData) as error:
        print(f"[ERROR] {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("\n[INFO] interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def console(folder: str | os.PathLike[str] | None = None) -> int:
    """The commands `python train.py` and `pyimagesearch-lr`: `main` with a config.py.

    Args:
        folder: Path of the folder of the config.py; None is the current one.

    Returns:
        The exit code of `main`, 2 where config.py cannot be imported.
    """
    parse(None)  # --help and a mistyped option need no config.py
    folder = os.path.abspath(os.getcwd() if folder is None else folder)
    sys.path.insert(0, folder)
    try:
        import config
    except Exception as error:
        print(f"[ERROR] {_what_is_wrong_with_config(error, folder)}", file=sys.stderr)
        return EXIT_BAD_INPUT
    return main(config)


def _what_is_wrong_with_config(error: Exception, folder: str) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name == "config":
        where = f"there is no config.py in {folder}"
        return f"{where}: change to the project's folder, or copy its config.py here."
    if isinstance(error, SyntaxError):
        file, line, what = error.filename, error.lineno, error.msg
    else:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        file, line, what = frame.filename, frame.lineno, " ".join(str(error).split())
    return f"{file}, line {line}: {type(error).__name__}: {what}."


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line; end the process with its usage where it cannot be read, or with `--help`."""
    parser = argparse.ArgumentParser(
        description="Find learning-rate bounds for MiniGoogLeNet on Fashion-MNIST, then train with a "
        "cyclical learning rate between the bounds in config.py."
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
    parser.add_argument(
        "--recipe",
        choices=RECIPES,
        default=TUTORIAL,
        help="short: find the bounds, then train to the tutorial's accuracy in a fraction of its epochs; "
        "the rates and epochs of config.py are not used (default: %(default)s)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="both phases in a minute or two, on the small embedded sample"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with a training that was stopped, from its last epoch"
    )
    parser.add_argument(
        "--verify",
        action=argparse.BooleanOptionalAction,
        help="try the rates around the curve's answer in short trainings, or do not "
        "(default: LRFIND_VERIFY_STEPS of config.py)",
    )
    args = parser.parse_args(argv)
    if args.resume and args.lr_find > 0:
        parser.error("--resume goes on with a training: it cannot be combined with --lr-find")
    return args
