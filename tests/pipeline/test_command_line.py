"""Options of a run: the flags of `train.py` and the commands of `pyimagesearch-lr` say the same."""

from __future__ import annotations

import pytest

from pyimagesearch_lr.pipeline import command_line


def test_flags_name_the_program_they_were_typed_after():
    assert command_line.parse(["--auto"]).program == "python train.py"
    assert command_line.parse(["--auto"], "pyimagesearch-lr").program == "pyimagesearch-lr"


@pytest.mark.parametrize("argv", [[], ["--lr-find", "0"]])
def test_nothing_asked_for_is_a_training(argv):
    asked = command_line.parse(argv)
    assert (asked.lr_find, asked.auto, asked.resume, asked.restart, asked.quick) == (
        0,
        False,
        False,
        False,
        False,
    )
    assert asked.recipe == "tutorial"
    assert asked.verify is None
