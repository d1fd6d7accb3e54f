"""`pyimagesearch-lr predict`: classes and confidences of pictures, from the saved model alone."""

from __future__ import annotations

import csv
import os
import subprocess
import sys

import cv2
import keras
import numpy as np
import pictures
import pytest
from pictures import DAMAGED, UNUSUAL

from pyimagesearch_lr.__main__ import main
from pyimagesearch_lr.pipeline import saved_model
from pyimagesearch_lr.pipeline.saved_model import Facts


@pytest.fixture
def model_path(tmp_path):
    """A model that says how red a picture is, between "blue" and "red", in logits."""
    inputs = keras.Input((8, 8, 3))
    mean = keras.layers.GlobalAveragePooling2D()(inputs)
    dense = keras.layers.Dense(2, use_bias=False)
    model = keras.Model(inputs, dense(mean))
    dense.set_weights([np.float32([[0, 3], [0, 0], [3, 0]])])
    saved_model.save(tmp_path / "model.keras", model, Facts(("blue", "red"), 8, 3, logits=True))
    return tmp_path / "model.keras"


@pytest.fixture
def flat(tmp_path):
    """Two pictures of one colour each; OpenCV writes blue, green, red."""
    for name, colour in (("red", (0, 0, 255)), ("blue", (255, 0, 0))):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((30, 50, 3), colour, np.uint8))
    return tmp_path


def test_class_confidence_and_file_are_printed_and_written_as_csv(model_path, flat, capsys):
    paths = [str(flat / "red.png"), str(flat / "blue.png")]
    assert main(["predict", str(model_path), *paths, "--csv", str(flat / "answers.csv")]) == 0
    expected = np.exp(3) / (np.exp(3) + 1)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"red    {expected:.1%}  {paths[0]}", f"blue   {expected:.1%}  {paths[1]}"]
    with open(flat / "answers.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["class"]) for row in rows] == [(paths[0], "red"), (paths[1], "blue")]
    np.testing.assert_allclose([float(row["confidence"]) for row in rows], expected, atol=1e-4)


def test_model_of_a_recipe_that_takes_the_mean_with_the_mirror_image_does_so(tmp_path, capsys):
    inputs = keras.Input((8, 8, 1))
    dense = keras.layers.Dense(2, use_bias=False)
    model = keras.Model(inputs, dense(keras.layers.Flatten()(keras.layers.Cropping2D((0, (0, 4)))(inputs))))
    dense.set_weights([np.float32([[0, 0.125]] * 32)])  # from 0 for a dark left half to 4 for a bright one
    left_bright = np.zeros((8, 8), np.uint8)
    left_bright[:, :4] = 255
    cv2.imwrite(str(tmp_path / "half.png"), left_bright)
    confidences = []
    for mirrored_mean in (False, True):
        facts = Facts(("dark", "bright"), 8, 1, logits=True, mirrored_mean=mirrored_mean)
        saved_model.save(tmp_path / "model.keras", model, facts)
        assert main(["predict", str(tmp_path / "model.keras"), str(tmp_path / "half.png")]) == 0
        confidences.append(capsys.readouterr().out.split()[1])
    of_bright = np.exp(4) / (np.exp(4) + 1)
    assert confidences == [f"{of_bright:.1%}", f"{(of_bright + 0.5) / 2:.1%}"]


def test_folder_stands_for_its_pictures(model_path, tmp_path, capsys):
    folder = pictures.make(tmp_path / "photos", {"ring": 70, "cross": 3})
    assert main(["predict", str(model_path), str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines] == [str(path) for path in sorted(folder.rglob("*.png"))]


OWN_LAYER = """
import keras


@keras.saving.register_keras_serializable("their_layers")
class Half(keras.layers.Layer):
    def call(self, x):
        return x / 2
"""
SAVE = """
import keras
import their_layers

from pyimagesearch_lr.pipeline import saved_model

layers = [their_layers.Half(), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
model = keras.Sequential([keras.Input((8, 8, 3)), *layers])
saved_model.save("own.keras", model, saved_model.Facts(("blue", "red"), 8, 3, logits=False))
"""


def test_layers_of_ones_own_are_found_in_the_module_that_is_named(flat, capsys):
    (flat / "their_layers.py").write_text(OWN_LAYER, encoding="utf-8")

    def run(*argv):
        paths = os.pathsep.join(path for path in (str(flat), *sys.path) if path)
        environment = {**os.environ, "PYTHONPATH": paths}
        return subprocess.run(argv, cwd=flat, env=environment, capture_output=True, text=True, check=False)

    assert run(sys.executable, "-c", SAVE).returncode == 0
    predict = [sys.executable, "-m", "pyimagesearch_lr", "predict", "own.keras", "red.png"]
    without = run(*predict)
    assert (without.returncode, without.stdout) == (2, "")
    assert "`predict --import MODULE`" in without.stderr
    named = run(*predict, "--import", "their_layers")
    assert (named.returncode, named.stderr) == (0, "")
    assert named.stdout.split()[-1] == "red.png"
    assert main(["predict", "own.keras", "red.png", "--import", "nowhere_layers"]) == 2
    assert capsys.readouterr().err == (
        "[ERROR] --import nowhere_layers: ModuleNotFoundError: No module named 'nowhere_layers'.\n"
    )


def test_picture_that_cannot_be_used_is_told_and_the_others_are_answered(model_path, flat, capsys):
    for name, content in (("text.png", DAMAGED["text.png"][0]), ("alpha.png", UNUSUAL["alpha.png"][0])):
        (flat / name).write_bytes(content)
    asked = ["text.png", "red.png", "alpha.png", "gone.png"]
    assert main(["predict", str(model_path), *[str(flat / name) for name in asked]]) == 2
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1
    assert err.splitlines() == [
        f"[ERROR] {flat / 'text.png'}: it is not a picture, or its first bytes are damaged.",
        f"[ERROR] {flat / 'alpha.png'}: an alpha channel; --convert takes it.",
        f"[ERROR] {flat / 'gone.png'}: No such file or directory.",
    ]
    assert main(["predict", str(model_path), str(flat / "alpha.png"), "--convert"]) == 0


@pytest.mark.parametrize("asked", [[], ["nothing"]])
def test_folder_without_pictures_and_no_picture_at_all(model_path, tmp_path, capsys, asked):
    (tmp_path / "nothing").mkdir()
    try:
        code = main(["predict", str(model_path), *[str(tmp_path / name) for name in asked]])
    except SystemExit as error:
        code = error.code
    assert code == 2
    told = "the following arguments are required: PICTURE" if not asked else "nothing has no pictures (.png"
    assert told in capsys.readouterr().err


def test_other_files_than_the_model_are_not_read(model_path, flat, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.py").write_text("raise RuntimeError('read')\n", encoding="utf-8")
    assert main(["predict", str(model_path), str(flat / "red.png")]) == 0


def test_file_that_is_no_model_is_one_line(flat, capsys):
    assert main(["predict", str(flat / "red.png"), str(flat / "red.png")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"[ERROR] {flat / 'red.png'} is not a model that a training of this package saved")


def test_csv_that_cannot_be_written_is_one_line(model_path, flat, capsys):
    assert main(["predict", str(model_path), str(flat / "red.png"), "--csv", str(flat)]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("red")
    assert err == f"[ERROR] {flat}: Is a directory\n"
