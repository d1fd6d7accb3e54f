"""Any file as config.py: one line and exit code 2, or a run; never a traceback, never a silent end."""

from __future__ import annotations

import os
import random
import re
import sys
from pathlib import Path

import pytest

from pyimagesearch_lr import pipeline
from pyimagesearch_lr.pipeline import process

ROOT = Path(__file__).resolve().parents[2]
GOOD = (ROOT / "config.py").read_text(encoding="utf-8")
PATH = r"\S+/config\.py"

MODULES = {
    "ends the program": (
        GOOD + "raise SystemExit\n",
        rf"{PATH}, line \d+: SystemExit: no code; config\.py must not end.*",
    ),
    "ends it with a code": (
        GOOD + "import sys; sys.exit(3)\n",
        rf"{PATH}, line \d+: SystemExit: 3; config\.py must not.*",
    ),
    "raises": (GOOD + "1 / 0\n", rf"{PATH}, line \d+: ZeroDivisionError: division by zero\."),
    "raises what is no Exception": (GOOD + "raise GeneratorExit\n", rf"{PATH}, line \d+: GeneratorExit\."),
    "raises over two lines": (GOOD + "raise ValueError('a\\nb')\n", rf"{PATH}, line \d+: ValueError: a b\."),
    "imports what is not there": (
        GOOD + "import no_such_thing\n",
        rf"{PATH}, line \d+: ModuleNotFoundError: No module.*",
    ),
    "has no end of a string": (
        GOOD + "A = 'a\n",
        rf"{PATH}, line \d+: SyntaxError: unterminated string literal.*",
    ),
    "is indented": ("  A = 1\n", rf"{PATH}, line 1: IndentationError: unexpected indent\."),
    "is UTF-16": (GOOD.encode("utf-16"), rf"{PATH}.*: SyntaxError: .*"),
    "is no UTF-8": (b"A = '\xff'\n", rf"{PATH}.*: SyntaxError: .*"),
    "has NUL bytes": (GOOD + "\0", rf"{PATH}.*: (SyntaxError|ValueError): source code .*null bytes.*"),
    "is nested deeply": (
        "A = " + "(" * 5000 + ")" * 5000,
        rf"{PATH}.*: (SyntaxError|MemoryError|RecursionError).*",
    ),
    "has a number of 10,000 digits": (
        "A = " + "9" * 10_000,
        rf"{PATH}, line 1: SyntaxError: Exceeds the limit.*",
    ),
    "is empty": ("", r"MIN_LR is missing from config\.py: add a line `MIN_LR = \.\.\.`\."),
    "has lower-case names": (
        GOOD + "max_lr = 1\n",
        r"max_lr in config\.py is not a setting: write it as MAX_LR\.",
    ),
    "has mixed names": (GOOD + "Seed = 1\n", r"Seed in config\.py is not a setting: write it as SEED\."),
    "calls itself": (
        GOOD + "def f(): f()\nf()\n",
        rf"{PATH}, line \d+: RecursionError: maximum recursion depth.*",
    ),
    "has a class without text": (
        GOOD + "class _C:\n  def __repr__(self): raise KeyError(1)\nMAX_LR = _C()\n",
        r"MAX_LR = a value of type _C in config\.py: it must be a finite number above 0\.",
    ),
    "has a huge whole number": (
        GOOD + "NUM_EPOCHS = 10**5000\n",
        r"NUM_EPOCHS = a value of type int in config\.py: it must be at most 10,000,000\.",
    ),
    "has a rate beyond float32": (
        GOOD + "MAX_LR = 1e39\n",
        r"MAX_LR = 1e\+39 in config\.py: it must be in the range of float32, 1\.2e-38 to 3\.4e\+38\.",
    ),
    "ends the sweep beyond float32": (
        GOOD + "LRFIND_END_LR = 1e300\n",
        r"LRFIND_END_LR = 1e\+300 in config\.py: it must be in the range of float32, .*",
    ),
    "begins the sweep below float32": (
        GOOD + "LRFIND_START_LR = 1e-300\n",
        r"LRFIND_START_LR = 1e-300 in config\.py: it must be in the range of float32, .*",
    ),
    "has a gamma of NaN": (
        GOOD + "CLR_GAMMA = float('nan')\n",
        r"CLR_GAMMA = nan in config\.py: it must be above 0 and below 1\.",
    ),
    "has an infinite step size": (
        GOOD + "STEP_SIZE = float('inf')\n",
        r"STEP_SIZE = inf in config\.py: it must be a finite number above 0\.",
    ),
    "has too long a cycle": (
        GOOD + "STEP_SIZE = 1e308\n",
        r"STEP_SIZE = 1e\+308 in config\.py: it must be at most 10,000,000\.",
    ),
    "names a class twice": (
        GOOD + "CLASSES = ['a'] * 10\n",
        r"CLASSES = \['a', .*\] in config\.py: it must have a name of its own for every class\.",
    ),
    "has a blank class": (
        GOOD + "CLASSES = [*'abcdefghi', ' ']\n",
        r"CLASSES = \[.*\] in config\.py: it must have names that can be printed, without .*",
    ),
    "has half a character as a class": (
        GOOD + "CLASSES = [*'abcdefghi', '\\udc80']\n",
        r"CLASSES = \[.*\] in config\.py: it must have names that can be printed, without .*",
    ),
    "has half a character in a path": (
        GOOD + "OUTPUT_DIR = '\\udc80'\n",
        r"OUTPUT_DIR = '\\udc80' in config\.py: it must be a path\.",
    ),
    "is a folder as data": (
        GOOD + "DATA_DIR = '\\udc80'\n",
        r"DATA_DIR = .*: it must be the path of a folder, or None\.",
    ),
}


VALUES = """
None; True; 0; -1; 1; 1.5; 10**30; 10**5000; float('nan'); float('inf'); 1j; ''; ' '; 'a'; '\\0'; '\\udc80';
'x' * 5000; 'x/' * 3000; b'a'; []; [1]; {}; set(); object(); print; ...; range(3); lambda: 0; [[]] * 10;
type('T', (), {'__eq__': lambda *a: 1 / 0, '__hash__': None})(); __import__('numpy').zeros((2, 2));
__import__('numpy').float32('nan'); __import__('decimal').Decimal('0.1');
__import__('fractions').Fraction(1, 3); __import__('pathlib').Path('a')
""".replace("\n", " ").split("; ")


@pytest.fixture
def console(tmp_path, monkeypatch, capsys):
    """Call the command in a folder with that config.py; the exit code and what it printed."""

    def called(source: str | bytes) -> tuple[int, str, str]:
        content = source if isinstance(source, bytes) else source.encode()
        (tmp_path / "config.py").write_bytes(content)
        sys.modules.pop("config", None)
        code = pipeline.console(tmp_path)
        return (code, *capsys.readouterr())

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(process, "prepare_console", lambda: None)
    yield called
    sys.modules.pop("config", None)


@pytest.mark.parametrize("name", MODULES)
def test_module_is_answered_in_one_line(name, console):
    source, expected = MODULES[name]
    code, out, err = console(source)
    assert (code, out) == (2, "")
    assert err.endswith("\n")
    assert re.fullmatch(rf"\[ERROR\] {expected}", err[:-1]), err


def test_values_of_every_kind_are_answered_in_one_line(console, monkeypatch):
    """Every setting with every strange value: a line, or the run would begin."""
    begun = []
    monkeypatch.setattr(pipeline, "_begin", lambda plan: begun.append(plan) or 0)
    rng = random.Random(int(os.environ.get("MUTATIONS", "0")))
    names = re.findall(r"^([A-Z_]+) = ", GOOD, re.MULTILINE)
    cases = [(name, value) for name in names for value in VALUES]
    count = int(os.environ.get("MUTATIONS", "0")) or 400
    for name, value in rng.sample(cases, min(count, len(cases))):
        before = len(begun)
        code, _, err = console(f"{GOOD}\nOUTPUT_DIR = 'out'\n{name} = {value}\n")
        if len(begun) > before:
            assert (code, err) == (0, ""), (name, value)
        else:
            assert code == 2, (name, value)
            assert re.fullmatch(r"\[ERROR\] [^\n]+\n", err), (name, value, err)
