"""`python -m pyimagesearch_lr`: a saved curve is read and drawn again without training."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pyimagesearch_lr.__main__ import main
from pyimagesearch_lr.curve import LRCurve
from pyimagesearch_lr.suggest import METHODS, Probe, suggest

ROOT = Path(__file__).resolve().parents[1]
LRS = np.geomspace(1e-7, 10, 400)
LOSSES = np.interp(np.log10(LRS), [-7, -5, -1, 1], [2.3, 2.3, 0.3, 20.0])


def saved(path: Path, losses=LOSSES, **fields) -> Path:
    LRCurve(LRS, losses, losses, "end_lr", **fields).save(path)
    return path


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_every_method_is_printed_and_the_plot_drawn_beside_the_curve(tmp_path, capsys, suffix):
    path = saved(tmp_path / f"curve{suffix}")
    assert main([str(path)]) == 0
    out = capsys.readouterr().out
    bounds = suggest(LRS, LOSSES)
    assert f"bounds  {bounds.base_lr:.1e} to {bounds.max_lr:.1e}" in out
    assert [line.split()[0] for line in out.splitlines()[2:]] == list(METHODS)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_verified_answer_comes_first(tmp_path, capsys):
    path = saved(tmp_path / "curve.json", probes=(Probe(1e-4, 2e-2, 100, 0.5),))
    assert main([str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[2].split()[:4] == ["verified", "1.0e-04", "to", "2.0e-02"]


def test_one_method_and_another_plot(tmp_path, capsys):
    path, plot = saved(tmp_path / "curve.json"), tmp_path / "other.pdf"
    assert main([str(path), "--method", "minimum", "--plot", str(plot), "--skip-begin", "10"]) == 0
    (line,) = capsys.readouterr().out.splitlines()[2:]
    assert line.split()[:2] == ["minimum", f"{suggest(LRS, LOSSES, 'minimum').max_lr:.1e}"]
    assert plot.read_bytes().startswith(b"%PDF")
    assert not (tmp_path / "curve.png").exists()


def test_curve_without_an_answer_is_drawn_and_says_why(tmp_path, capsys):
    path = saved(tmp_path / "curve.json", losses=np.full(400, 2.3))
    assert main([str(path)]) == 1
    assert "no answer: the loss is flat" in capsys.readouterr().out
    assert (tmp_path / "curve.png").exists()


def test_file_that_is_no_curve_is_one_line(tmp_path, capsys):
    path = tmp_path / "curve.json"
    for content in (None, "{}"):
        if content is not None:
            path.write_text(content)
        assert main([str(path)]) == 2
        captured = capsys.readouterr()
        assert captured.err.startswith("[ERROR] ")
        assert captured.err.count("\n") == 1
        assert str(path) in captured.err
        assert not captured.out
    assert list(tmp_path.iterdir()) == [path]


def test_module_runs_without_tensorflow(tmp_path):
    path = saved(tmp_path / "curve.json")
    code = (
        "import runpy, sys; sys.modules['tensorflow'] = sys.modules['keras'] = None; "
        f"sys.argv = ['x', {str(path)!r}]; runpy.run_module('pyimagesearch_lr', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "bounds" in done.stdout
