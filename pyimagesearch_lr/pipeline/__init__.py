"""The application: find the bounds for MiniGoogLeNet on Fashion-MNIST, then train between them."""

from __future__ import annotations

import argparse
import errno
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pyimagesearch_lr.pipeline.stopping import Stopped, stoppable

if TYPE_CHECKING:
    from pyimagesearch_lr.pipeline.plan import Plan

EXIT_OK, EXIT_BAD_INPUT, EXIT_NOT_FINITE = 0, 2, 3
STREAM_ERRORS = (errno.EPIPE, errno.EIO, errno.ENOSPC, errno.EFBIG)


def main(config: Any, argv: list[str] | None = None) -> int:
    """Run what the command line asks for.

    Args:
        config: Module or object with the UPPER_CASE settings of config.py.
        argv: List of strings, the arguments; None takes those of the process.

    Returns:
        The exit code: 0 done; 1 the curve supports no suggestion and `--auto` was asked for; 2 a setting, the
        data, a file or the folder cannot be used; 3 the loss of the training is not finite; 129, 130 or 143
        stopped by SIGHUP, Ctrl-C or SIGTERM.
    """
    asked = parse(argv)
    with stoppable():
        try:
            return _run(config, asked)
        except KeyboardInterrupt as error:
            return _stopped(error if isinstance(error, Stopped) else Stopped(), config, asked)


def console(folder: str | os.PathLike[str] | None = None) -> int:
    """The commands `python train.py` and `pyimagesearch-lr`: `main` with a config.py.

    Args:
        folder: Path of the folder of the config.py; None is the current one.

    Returns:
        The exit code of `main`, 2 where config.py cannot be imported.
    """
    return as_a_command(lambda: _with_config(os.path.abspath(os.getcwd() if folder is None else folder)))


def as_a_command(run: Callable[[], int]) -> int:
    """The exit code of `run()` as a process: with signals, failing streams, characters that do not print."""
    with stoppable():
        try:
            _prepare_console()
            code = run()
        except KeyboardInterrupt as error:
            code = _stopped(error if isinstance(error, Stopped) else Stopped(), None, None)
        except OSError as error:
            code = _failed(f"standard output: {error.strerror}", EXIT_BAD_INPUT)
        return _flushed(code)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line; end the process with its usage where it cannot be read, or with `--help`."""
    from pyimagesearch_lr.pipeline.plan import RECIPES, TUTORIAL

    parser = argparse.ArgumentParser(
        description="Find learning-rate bounds for MiniGoogLeNet on Fashion-MNIST, then train with a "
        "cyclical learning rate between the bounds in config.py.",
        epilog="Exit codes: 0 done; 1 no bounds found with --auto; 2 a setting, the data, a file or the "
        "folder cannot be used; 3 the loss is not finite; 129, 130, 143 stopped by SIGHUP, Ctrl-C, SIGTERM.",
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
        "--restart", action="store_true", help="begin anew, and delete what a stopped training left"
    )
    parser.add_argument(
        "--verify",
        action=argparse.BooleanOptionalAction,
        help="try the rates around the curve's answer in short trainings, or do not "
        "(default: LRFIND_VERIFY_STEPS of config.py)",
    )
    args = parser.parse_args(argv)
    only_finds = args.lr_find > 0
    for name in ("auto", "resume", "restart"):
        if only_finds and getattr(args, name):
            parser.error(f"--lr-find 1 does not train: it cannot be combined with --{name}")
    if args.resume and args.restart:
        parser.error("--resume goes on and --restart begins anew: choose one")
    return args


def _run(config: Any, asked: argparse.Namespace) -> int:
    """Run, and say in one line what cannot be used."""
    from pyimagesearch_lr.files import in_a_line
    from pyimagesearch_lr.pipeline import lock, results
    from pyimagesearch_lr.pipeline.data import UnusableData
    from pyimagesearch_lr.pipeline.plan import CONFIG, Plan, SettingError, settings_for
    from pyimagesearch_lr.pipeline.terminal import info
    from pyimagesearch_lr.pipeline.training import NotFinite

    try:
        settings = settings_for(config, asked)
        settings.make_folders()
        with lock.held(settings.output_dir):
            settings.remove_leftovers()
            plan = Plan.made(config, asked)
            if asked.resume and not plan.resume:
                finished = results.finished_training(settings.output_dir)
                if finished is not None:
                    info(f"this training is finished, there is nothing to go on with: {finished.summary}")
                    others = plan.other_settings_of(finished.run.settings)
                    if others:
                        info(f"it had {others}; without --resume it is trained anew")
                    return EXIT_OK
                info("nothing to resume, starting anew")
            if asked.auto and plan.resume and not plan.find and plan.bounds.bounds_from == CONFIG:
                info("--auto has no effect: this training goes on with the bounds of config.py")
            if asked.verify is not None and not plan.find:
                info(f"--{'' if asked.verify else 'no-'}verify has no effect: this run has no finder")
            return _begin(plan)
    except (SettingError, UnusableData) as error:
        return _failed(str(error), EXIT_BAD_INPUT)
    except NotFinite as error:
        return _failed(f"{error} {_how_to('--restart', asked)}", EXIT_NOT_FINITE)
    except OSError as error:
        stream = "standard output: " if error.filename is None and error.errno in STREAM_ERRORS else ""
        return _failed(f"{stream}{in_a_line(error)}", EXIT_BAD_INPUT)


def _begin(plan: Plan) -> int:
    from pyimagesearch_lr.pipeline.training import run

    return run(plan)


def _failed(message: str, code: int) -> int:
    _say(f"[ERROR] {message}")
    return code


def _stopped(error: Stopped, config: Any, asked: argparse.Namespace | None) -> int:
    """Say what was kept of a run that a signal ended, and how to go on."""
    what = "interrupted" if error.name == "SIGINT" else f"stopped by {error.name}"
    kept = "" if config is None or asked is None else _kept(config, asked)
    _say(f"\n[INFO] {what}{kept}")
    return error.exit_code


def _kept(config: Any, asked: argparse.Namespace) -> str:
    from pyimagesearch_lr.pipeline import checkpoint_file
    from pyimagesearch_lr.pipeline.plan import settings_for
    from pyimagesearch_lr.pipeline.results import CURVE

    if asked.lr_find > 0:
        return ""
    try:
        settings = settings_for(config, asked)
        begun = checkpoint_file.load(settings.checkpoint_path)
    except (ValueError, OSError):
        return ""
    if begun is None:
        return ""
    epochs = begun.epochs_done
    kept = f"epoch {epochs} is kept" if epochs else "no epoch was finished"
    if "MAX_LR" not in begun.settings:
        found = os.path.exists(os.path.join(settings.output_dir, CURVE))
        kept = "what the finder has measured is kept" if found else "nothing was measured"
    return f"; {kept}: {_how_to('--resume', asked)}"


def _how_to(option: str, asked: argparse.Namespace) -> str:
    """What to type, with the options that name the run's folder."""
    from pyimagesearch_lr.pipeline.plan import TUTORIAL

    options = [*(["--quick"] if asked.quick else [])]
    options += [] if asked.recipe == TUTORIAL else ["--recipe", asked.recipe]
    does = {"--resume": "goes on", "--restart": "begins anew"}[option]
    return f"`python train.py {' '.join([*options, option])}` {does}"


def _with_config(folder: str) -> int:
    parse(None)  # --help and a mistyped option need no config.py
    sys.path.insert(0, folder)
    try:
        import config
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever the user's file raises, SystemExit among it
        return _failed(_what_is_wrong_with_config(error, folder), EXIT_BAD_INPUT)
    return main(config)


def _what_is_wrong_with_config(error: BaseException, folder: str) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name == "config":
        where = f"there is no config.py in {folder}"
        return f"{where}: change to the project's folder, or copy its config.py here."
    path = os.path.join(folder, "config.py")
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    if isinstance(error, SyntaxError):
        path, line, what = error.filename or path, error.lineno, error.msg
    else:
        line, what = lines[-1] if lines else None, _text_of(error)
    where = path if line is None else f"{path}, line {line}"
    kind = type(error).__name__
    if isinstance(error, SystemExit):
        what = f"{what or 'no code'}; config.py must not end the program"
    return f"{where}: {kind}{f': {what}' if what else ''}."


def _text_of(error: BaseException) -> str:
    try:
        return " ".join(str(error).split())
    except Exception:  # whatever the error's own code raises
        return ""


def _prepare_console() -> None:
    """Let every character be printed, and printing be no error where a stream is closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for good
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _say(line: str) -> None:
    """Print to standard error, which may be gone with the terminal."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def _flushed(code: int) -> int:
    """The exit code, once standard output has taken everything; a reader that is gone is an error too."""
    try:
        sys.stdout.flush()
        return code
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python fails again as it ends
        return code or _failed(f"standard output: {error.strerror}", EXIT_BAD_INPUT)
