"""The application: find the bounds for a network on images, then train between them."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from pyimagesearch_lr.pipeline.process import (
    EXIT_BAD_INPUT,
    EXIT_NOT_FINITE,
    EXIT_OK,
    as_a_command,
    failed,
    stopped,
)
from pyimagesearch_lr.pipeline.stopping import stoppable

if TYPE_CHECKING:
    import argparse

    from pyimagesearch_lr.pipeline.plan import Plan

STREAM_ERRORS = (errno.EPIPE, errno.EIO, errno.ENOSPC, errno.EFBIG)


def main(config: Any, argv: list[str] | None = None) -> int:
    """Run what the flags of `train.py` ask for.

    Args:
        config: Module or object with the UPPER_CASE settings of config.py.
        argv: List of strings, the arguments; None takes those of the process.

    Returns:
        The exit code: 0 done; 1 the curve supports no suggestion and `--auto` was asked for; 2 a setting, the
        data, a file or the folder cannot be used; 3 the loss of the training is not finite; 129, 130 or 143
        stopped by SIGHUP, Ctrl-C or SIGTERM.
    """
    from pyimagesearch_lr.pipeline.command_line import parse

    return run(config, parse(argv))


def console(folder: str | os.PathLike[str] | None = None) -> int:
    """The command `python train.py`: `main` with a config.py.

    Args:
        folder: Path of the folder of the config.py; None is the current one.

    Returns:
        The exit code of `main`, 2 where config.py cannot be imported.
    """

    def with_config() -> int:
        from pyimagesearch_lr.pipeline.command_line import parse

        return run_in(folder, parse(None))  # --help and a mistyped option need no config.py

    return as_a_command(with_config)


def run_in(folder: str | os.PathLike[str] | None, asked: argparse.Namespace) -> int:
    """Run with the config.py of a folder, None the current one; the exit code of `main`."""
    from pyimagesearch_lr.pipeline import config_file

    try:
        config = config_file.imported(os.path.abspath(os.getcwd() if folder is None else folder))
    except config_file.UnusableConfig as error:
        return failed(str(error))
    return run(config, asked)


def run(config: Any, asked: argparse.Namespace) -> int:
    """Run what is asked for; the exit code of `main`.

    Args:
        config: Module or object with the UPPER_CASE settings of config.py.
        asked: What the command line asks for, as `command_line.parse` returns it.
    """
    with stoppable():
        try:
            return _run(config, asked)
        except KeyboardInterrupt as error:
            return stopped(error, _kept(config, asked))


def _run(config: Any, asked: argparse.Namespace) -> int:
    """Run, and say in one line what cannot be used."""
    from pyimagesearch_lr.files import in_a_line
    from pyimagesearch_lr.pipeline import lock
    from pyimagesearch_lr.pipeline.data import UnusableData
    from pyimagesearch_lr.pipeline.plan import Plan, SettingError, settings_for
    from pyimagesearch_lr.pipeline.terminal import info
    from pyimagesearch_lr.pipeline.training import NotFinite

    try:
        settings = settings_for(config, asked)
        settings.make_folders()
        with lock.held(settings.output_dir):
            settings.remove_leftovers()
            plan = Plan.made(config, asked)
            if asked.resume and not plan.resume:
                if _is_finished(plan):
                    return EXIT_OK
                info("nothing to resume, starting from the beginning")
            for line in plan.without_effect(config, asked):
                info(line)
            return _begin(plan)
    except (SettingError, UnusableData) as error:
        return failed(str(error), EXIT_BAD_INPUT)
    except NotFinite as error:
        return failed(f"{error} {_how_to('--restart', asked)}", EXIT_NOT_FINITE)
    except OSError as error:
        stream = "standard output: " if error.filename is None and error.errno in STREAM_ERRORS else ""
        return failed(f"{stream}{in_a_line(error)}", EXIT_BAD_INPUT)


def _begin(plan: Plan) -> int:
    from pyimagesearch_lr.pipeline import training

    return training.run(plan)


def _is_finished(plan: Plan) -> bool:
    """Whether there is nothing to resume because all of it is done; if so, say it."""
    from pyimagesearch_lr.pipeline import results
    from pyimagesearch_lr.pipeline.terminal import info

    finished = results.finished_training(plan.settings.output_dir)
    if finished is None:
        return False
    info(f"this training is finished, there is nothing to resume: {finished.summary}")
    others = plan.other_settings_of(finished.run.settings)
    if others:
        info(f"it had {others}; leave --resume out to train again")
    return True


def _kept(config: Any, asked: argparse.Namespace) -> str:
    """What is kept of a run that a signal ended, and how to continue; empty if nothing is."""
    from pyimagesearch_lr.pipeline import checkpoint_file, results
    from pyimagesearch_lr.pipeline.plan import RUN, settings_for

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
        found = results.measured_by(begun.settings.get(RUN), settings.output_dir)
        kept = "nothing was measured" if found is None else "what the finder has measured is kept"
    return f"; {kept}: {_how_to('--resume', asked, finds='MAX_LR' not in begun.settings)}"


def _how_to(option: str, asked: argparse.Namespace, *, finds: bool = False) -> str:
    """What to type, with the options that name the run's folder, and those of a finder that has not ended."""
    from pyimagesearch_lr.pipeline.plan import TUTORIAL

    options = ["--quick"] if asked.quick else []
    if finds and asked.verify is not None:
        options.append("--verify" if asked.verify else "--no-verify")
    options += [] if asked.recipe == TUTORIAL else ["--recipe", asked.recipe]
    does = {"--resume": "continues", "--restart": "starts over"}[option]
    return f"`{' '.join([asked.program, *options, option])}` {does}"
