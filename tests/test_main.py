"""The program `pyimagesearch-lr`: its commands, a saved curve read and drawn again, what 0.1 called it by."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pyimagesearch_lr import pipeline
from pyimagesearch_lr.__main__ import main
from pyimagesearch_lr.curve import LRCurve
from pyimagesearch_lr.pipeline import command_line
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
    assert main(["show", str(path)]) == 0
    out = capsys.readouterr().out
    bounds = suggest(LRS, LOSSES)
    assert f"bounds  {bounds.base_lr:.1e} to {bounds.max_lr:.1e}" in out
    assert [line.split()[0] for line in out.splitlines()[2:]] == list(METHODS)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_verified_answer_comes_first(tmp_path, capsys):
    path = saved(tmp_path / "curve.json", probes=(Probe(1e-4, 2e-2, 100, 0.5),))
    assert main(["show", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[2].split()[:4] == ["verified", "1.0e-04", "to", "2.0e-02"]


def test_one_method_and_another_plot(tmp_path, capsys):
    path, plot = saved(tmp_path / "curve.json"), tmp_path / "other.pdf"
    assert main(["show", str(path), "--method", "minimum", "--plot", str(plot), "--skip-begin", "10"]) == 0
    (line,) = capsys.readouterr().out.splitlines()[2:]
    assert line.split()[:2] == ["minimum", f"{suggest(LRS, LOSSES, 'minimum').max_lr:.1e}"]
    assert plot.read_bytes().startswith(b"%PDF")
    assert not (tmp_path / "curve.png").exists()


def test_curve_without_an_answer_is_drawn_and_says_why(tmp_path, capsys):
    path = saved(tmp_path / "curve.json", losses=np.full(400, 2.3))
    assert main(["show", str(path)]) == 1
    assert "no answer: the loss is flat" in capsys.readouterr().out
    assert (tmp_path / "curve.png").exists()


def test_file_that_is_no_curve_is_one_line(tmp_path, capsys):
    path = tmp_path / "curve.json"
    for content in (None, "{}"):
        if content is not None:
            path.write_text(content)
        assert main(["show", str(path)]) == 2
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


# Commands --------------------------------------------------------------------------------------------------


@pytest.fixture
def ran(monkeypatch, tmp_path):
    """What the application was asked for, in a folder with a config.py."""
    asked = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pipeline, "run_in", lambda folder, options: asked.append(options) or 0)
    return asked


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["find"], {"lr_find": 1, "auto": False}),
        (["find", "--no-verify", "--quick"], {"lr_find": 1, "verify": False, "quick": True}),
        (["train"], {"lr_find": 0, "auto": False, "resume": False, "verify": None}),
        (["train", "--resume"], {"lr_find": 0, "resume": True}),
        (["auto", "--restart", "--recipe", "short"], {"auto": True, "restart": True, "recipe": "short"}),
    ],
)
def test_command_asks_for_what_the_flags_of_train_py_do(ran, capsys, argv, expected):
    assert main(argv) == 0
    (asked,) = ran
    assert {name: getattr(asked, name) for name in expected} == expected
    assert vars(asked).keys() >= vars(command_line.parse([])).keys()
    assert asked.program == f"pyimagesearch-lr {argv[0]}"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("argv", "command", "expected"),
    [
        (["--lr-find", "1"], "find", {"lr_find": 1}),
        (["-f", "1", "--quick"], "find", {"lr_find": 1, "quick": True}),
        (["--auto"], "auto", {"auto": True}),
        (["--resume"], "train", {"resume": True}),
    ],
)
def test_flags_of_0_1_work_and_warn(ran, capsys, argv, command, expected):
    assert main(argv) == 0
    (asked,) = ran
    assert {name: getattr(asked, name) for name in expected} == expected
    typed = " ".join(["pyimagesearch-lr", *argv])
    assert capsys.readouterr().err == (
        f"[WARNING] `{typed}` will be removed in version 0.3. "
        f"Type `pyimagesearch-lr {command}` with its options.\n"
    )


@pytest.mark.parametrize(
    "argv", [["curve.json"], ["curve.json", "--method", "minimum"], ["--method", "minimum", "curve.json"]]
)
def test_bare_curve_of_0_1_works_and_warns(tmp_path, monkeypatch, capsys, argv):
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "curve.json")
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert "minimum" in out
    assert err.startswith("[WARNING] `pyimagesearch-lr") and "Type `pyimagesearch-lr show`" in err


def test_another_module_called_config_is_not_taken_for_it(tmp_path, monkeypatch, capsys):
    elsewhere, here = tmp_path / "elsewhere", tmp_path / "here"
    for folder in (elsewhere, here):
        folder.mkdir()
    (elsewhere / "config.py").write_text("raise RuntimeError('not mine')\n")
    monkeypatch.syspath_prepend(elsewhere)
    monkeypatch.delitem(sys.modules, "config", raising=False)
    monkeypatch.chdir(here)
    assert main(["train"]) == 2
    assert f"there is no config.py in {here}" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["find", "train", "auto"])
def test_command_without_a_config_says_how_to_get_one(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "config", raising=False)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if Path(entry).resolve() != ROOT])
    assert main([command]) == 2
    told = f"there is no config.py in {tmp_path}: `pyimagesearch-lr init` writes one into the current folder."
    assert capsys.readouterr().err == f"[ERROR] {told}\n"


def test_init_writes_a_config_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    written = (tmp_path / "config.py").read_bytes()
    assert "pyimagesearch-lr find" in capsys.readouterr().out
    assert main(["init"]) == 2
    assert "exists already and is left as it is" in capsys.readouterr().err
    assert (tmp_path / "config.py").read_bytes() == written


def test_commands_need_neither_keras_nor_tensorflow_to_be_explained():
    code = """
import sys
from pyimagesearch_lr.__main__ import main
try:
    main(["--help"])
except SystemExit:
    print(sorted({"keras", "tensorflow", "matplotlib", "cv2"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_module_and_installed_command_are_one_program():
    installed = Path(sys.executable).with_name("pyimagesearch-lr")
    if not installed.exists():
        pytest.skip("the package is not installed here")
    ways = [sys.executable, "-m", "pyimagesearch_lr"], [str(installed)]
    helps = [
        subprocess.run([*way, "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for way in ways
    ]
    assert helps[0] == helps[1]
    assert "predict" in helps[0]
