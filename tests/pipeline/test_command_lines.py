"""Command lines that cannot be followed and what each is answered; the table is command_lines.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyimagesearch_lr.__main__ import main
from pyimagesearch_lr.pipeline import command_line

LINES = json.loads(Path(__file__).with_name("command_lines.json").read_text(encoding="utf-8"))
PROGRAMS = {"train": command_line.parse, "program": main}


def answer(program: str, options: list[str], capsys) -> str:
    """The last line on standard error of a process that ends with 2."""
    with pytest.raises(SystemExit, match=r"^2$"):
        code = PROGRAMS[program](options)
        raise SystemExit(code)
    return capsys.readouterr().err.strip().splitlines()[-1].partition(": error: ")[2]


@pytest.mark.parametrize("case", LINES, ids=lambda case: " ".join([case["program"], *case["options"]])[:60])
def test_command_line_is_answered_in_a_line(case, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    received = answer(case["program"], case["options"], capsys)
    assert received.replace("'", "") == case["error"].replace("'", "")  # Python 3.12 quotes no choices
    assert list(tmp_path.iterdir()) == []


def test_table_is_as_long_as_promised():
    assert len(LINES) >= 40
