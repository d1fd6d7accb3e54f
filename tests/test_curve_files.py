"""Files of curves of somebody else, or damaged: one line at `load`, or a curve that works."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from pyimagesearch_lr import LRCurve, NoSuggestion
from pyimagesearch_lr.suggest import Probe

RATES = np.geomspace(1e-6, 10.0, 60)
LOSSES = 2.3 - 2.0 / (1.0 + (1e-2 / RATES) ** 2) + np.where(RATES > 1.0, RATES, 0.0)
PROBES = [Probe(1e-4, 1e-2, 40, 1.0, 0.1, 2.3), Probe(1e-3, 1e-1, 12, float("inf"))]


def curve() -> LRCurve:
    return LRCurve(
        RATES,
        LOSSES,
        LOSSES,
        "diverged",
        {"accuracy": 1 / LOSSES},
        {"steps": 60},
        [LOSSES, LOSSES + 0.1],
        PROBES,
    )


def document(folder: Path) -> dict:
    path = folder / "good.json"
    curve().save(path)
    return json.loads(path.read_text())


def probe(**changes) -> list:
    good = {"base_lr": 1e-4, "max_lr": 1e-2, "steps": 40, "loss": 1.0, "error": 0.1, "first_loss": 2.3}
    return [{**good, **changes}]


COLUMN = LOSSES.tolist()
BAD = {
    "nothing": b"",
    "no JSON": b"rates and losses",
    "a list": b"[]",
    "a number": b"3",
    "null": b"null",
    "half": b'{"format": "pyimagesearch_lr.LRCurve/1", "columns": {"lr": [1',
    "UTF-16": '{"format": 1}'.encode("utf-16"),
    "no UTF-8": b"\xff\xfe\xfd",
    "NUL bytes": b"\0" * 100,
    "nested": b"[" * 200_000,
    "nested dicts": b'{"a":' * 100_000,
    "a number of 10,000 digits": b'{"format": ' + b"9" * 10_000 + b"}",
    "no format": {"format": None},
    "another format": {"format": "somebody.else/1"},
    "no stop reason": {"stop_reason": "tired"},
    "stop reason of a list": {"stop_reason": ["end_lr"]},
    "metadata of a list": {"metadata": [1]},
    "no columns": {"columns": {}},
    "columns of a list": {"columns": [1, 2]},
    "a column of text": {"columns": {"lr": "abc", "raw_loss": "abc", "loss": "abc"}},
    "a column of null": {"columns": {"lr": None, "raw_loss": COLUMN, "loss": COLUMN}},
    "unequal columns": {"columns": {"lr": RATES.tolist(), "raw_loss": COLUMN[1:], "loss": COLUMN}},
    "NaN rates": {"columns": {"lr": ["nan"] * 60, "raw_loss": COLUMN, "loss": COLUMN}},
    "infinite rates": {"columns": {"lr": ["inf"] * 60, "raw_loss": COLUMN, "loss": COLUMN}},
    "rates of 0": {"columns": {"lr": [0] * 60, "raw_loss": COLUMN, "loss": COLUMN}},
    "negative rates": {"columns": {"lr": (-RATES).tolist(), "raw_loss": COLUMN, "loss": COLUMN}},
    "falling rates": {"columns": {"lr": RATES[::-1].tolist(), "raw_loss": COLUMN, "loss": COLUMN}},
    "huge rates": {"columns": {"lr": [10**400] * 60, "raw_loss": COLUMN, "loss": COLUMN}},
    "nested rates": {"columns": {"lr": [[1.0]] * 60, "raw_loss": COLUMN, "loss": COLUMN}},
    "probes of a number": {"probes": 3},
    "probes of text": {"probes": "abc"},
    "a probe of null": {"probes": [None]},
    "a probe of a list": {"probes": [[1, 2, 3]]},
    "an empty probe": {"probes": [{}]},
    "a probe with another field": {"probes": probe(colour="red")},
    "a probe of negative steps": {"probes": probe(steps=-40)},
    "a probe of no steps": {"probes": probe(steps=0)},
    "a probe of half steps": {"probes": probe(steps=2.5)},
    "a probe of true steps": {"probes": probe(steps=True)},
    "a probe of text steps": {"probes": probe(steps="many")},
    "a probe of a negative rate": {"probes": probe(max_lr=-1e-2)},
    "a probe of a NaN rate": {"probes": probe(max_lr="nan")},
    "a probe of an infinite rate": {"probes": probe(max_lr="inf")},
    "a probe upside down": {"probes": probe(base_lr=1.0)},
    "a probe of a rate of 0": {"probes": probe(base_lr=0)},
    "a probe of a negative error": {"probes": probe(error=-1)},
    "a probe of a loss of null": {"probes": probe(loss=None)},
    "a probe of a list as loss": {"probes": probe(loss=[1])},
    "a probe of a huge loss": {"probes": probe(loss=10**400)},
    "a probe of a true loss": {"probes": probe(loss=True)},
}


@pytest.mark.parametrize("name", BAD)
def test_bad_file_is_one_line_that_names_it(name, tmp_path):
    bad, path = BAD[name], tmp_path / "curve.json"
    if isinstance(bad, dict):
        bad = json.dumps({**document(tmp_path), **bad}).encode()
    path.write_bytes(bad)
    with pytest.raises(ValueError, match="does not hold a curve saved by") as error:
        LRCurve.load(path)
    message = str(error.value)
    assert message.startswith(f"{path} does not hold a curve saved by `LRCurve.save` (")
    assert message.endswith("). Expected pyimagesearch_lr.LRCurve/1.")
    assert "\n" not in message
    assert len(message) < 500


@pytest.mark.parametrize("ending", ["json", "csv"])
def test_good_file_is_read(ending, tmp_path):
    curve().save(tmp_path / f"curve.{ending}")
    got = LRCurve.load(tmp_path / f"curve.{ending}")
    assert list(got.probes) == PROBES
    np.testing.assert_array_equal(got.sweep_losses, curve().sweep_losses)


@pytest.mark.parametrize("ending", ["json", "csv"])
def test_mutated_file_is_refused_or_works(ending, tmp_path):
    """What `load` takes, `suggest` answers and `plot` draws."""
    path = tmp_path / f"curve.{ending}"
    curve().save(path)
    whole = path.read_bytes()
    count, seed = int(os.environ.get("MUTATIONS", "300")), random.randrange(10**6)
    print(f"{count} mutations of .{ending} from seed {seed}")
    rng, taken = random.Random(seed), 0
    for _ in range(count):
        path.write_bytes(mutated(whole, rng))
        try:
            got = LRCurve.load(path)
        except ValueError as error:
            assert str(error).startswith(str(path))
            continue
        taken += 1
        try:
            got.suggest()
            got.suggest("bounds")
        except NoSuggestion:
            pass
        if taken % 20 == 1:
            plt.close(got.plot().figure)


def mutated(whole: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, cut out, doubled, or a number in place of another."""
    content = bytearray(whole)
    for _ in range(rng.choice((1, 1, 2, 8))):
        place, length = rng.randrange(len(content)), rng.choice((1, 1, 3, 40))
        how = rng.randrange(4)
        if how == 0:
            content[place : place + length] = rng.randbytes(length)
        elif how == 1:
            del content[place : place + length]
        elif how == 2:
            content[place:place] = content[place : place + length]
        else:
            content[place : place + 1] = rng.choice((b"-", b"e", b"9", b"0", b".", b"1e308", b"nan"))
    return bytes(content)
