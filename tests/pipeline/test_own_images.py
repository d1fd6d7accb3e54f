"""From a folder of pictures to bounds, a trained and reported model, and the class of a picture."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pictures
import pytest
from pictures import DAMAGED, UNUSUAL
from test_plan import GOOD

from pyimagesearch_lr.pipeline import data
from pyimagesearch_lr.pipeline.command_line import parse
from pyimagesearch_lr.pipeline.data import UnusableData
from pyimagesearch_lr.pipeline.plan import Plan, SettingError

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, "-m", "pyimagesearch_lr"]
NETWORK = """
from keras import Input, Sequential, layers

def small(input_shape, num_classes):
    return Sequential([
        Input(input_shape),
        layers.Conv2D(16, 3, strides=2, activation="relu"),
        layers.Conv2D(32, 3, strides=2, activation="relu"),
        layers.Flatten(),
        layers.Dense(num_classes, activation="softmax", dtype="float32"),
    ])
"""
SHORT = {
    "DATA": '"photos"',
    "MODEL": '"networks:small"',
    "LRFIND_START_LR": "1e-5",
    "LRFIND_STEPS": "60",
    "LRFIND_VERIFY_STEPS": "120",
    "MIN_LR": "1e-3",
    "MAX_LR": "5e-2",
    "STEP_SIZE": "4",
    "NUM_EPOCHS": "16",
    "BATCH_SIZE": "16",
    "DTYPE_POLICY": '"float32"',
}


def typed(folder: Path, *argv: str) -> subprocess.CompletedProcess:
    return subprocess.run([*PROGRAM, *argv], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> SimpleNamespace:
    """What a person types in a new folder, and what it printed."""
    folder = tmp_path_factory.mktemp("session")
    pictures.make(folder / "photos", {"circle": 50, "cross": 30, "ring": 40, "square": 20, "triangle": 30})
    (folder / "networks.py").write_text(NETWORK, encoding="utf-8")
    init = typed(folder, "init")
    path = folder / "config.py"
    text = path.read_text(encoding="utf-8")
    for name, value in SHORT.items():
        text, count = re.subn(rf"^{name} = \S+", f"{name} = {value}", text, flags=re.MULTILINE)
        assert count == 1, name
    path.write_text(text, encoding="utf-8")
    runs = {"init": init, "find": typed(folder, "find"), "train": typed(folder, "train")}
    asked = ["photos/ring/000.png", "photos/cross/001.png"]
    runs["predict"] = typed(folder, "predict", "output/model.keras", *asked, "--csv", "answers.csv")
    return SimpleNamespace(folder=folder, asked=asked, **runs)


@pytest.mark.parametrize("command", ["init", "find", "train", "predict"])
def test_every_command_ends_well_and_without_noise(session, command):
    run = getattr(session, command)
    assert (run.returncode, run.stderr) == (0, "")


def test_output_says_what_was_found_and_held_out(session):
    out = session.find.stdout
    held_out = "20% of every class, 34 pictures, are held out to evaluate on (SEED = 42)"
    assert f"[INFO] no test or val folder: {held_out}" in out
    assert (
        "5 classes (circle, cross, ring, square, triangle), 136 pictures to train on, colour, 32 x 32" in out
    )
    assert re.search(r"^MIN_LR = \S+\nMAX_LR = \S+$", out, re.MULTILINE)
    assert "held-out accuracy" in session.train.stdout


def test_training_learns_its_five_classes(session):
    document = json.loads((session.folder / "output" / "training.json").read_text(encoding="utf-8"))
    assert document["held_out_accuracy"] > 0.5  # chance is 0.29
    assert document["settings"]["classes"] == ["circle", "cross", "ring", "square", "triangle"]
    assert np.sum(document["confusion_matrix"], axis=1).tolist() == [10, 6, 8, 4, 6]


def test_page_has_the_run_as_its_title_and_a_picture_of_each_class_with_mistakes(session):
    page = (session.folder / "output" / "report.html").read_text(encoding="utf-8")
    assert "<h1>networks:small on photos</h1>" in page
    section = page[page.index('id="examples"') :]
    for name in ("circle", "cross", "ring", "square", "triangle"):
        assert f'<th scope="row">{name}</th>' in section
    document = json.loads((session.folder / "output" / "training.json").read_text(encoding="utf-8"))
    matrix = np.array(document["confusion_matrix"])
    mistakes = matrix.sum(axis=1) - matrix.diagonal()
    assert section.count('class="photo" src=') == 5 + np.minimum(mistakes, 3).sum()
    assert "taken for" in section and "photos/circle/" in section


def test_predict_answers_with_the_classes_of_the_folder(session):
    lines = session.predict.stdout.splitlines()
    assert [line.split()[-1] for line in lines] == session.asked
    assert {line.split()[0] for line in lines} <= {"circle", "cross", "ring", "square", "triangle"}
    assert (session.folder / "answers.csv").read_text(encoding="utf-8").count("\n") == 3


def test_finished_training_is_not_begun_again_by_resume(session):
    run = typed(session.folder, "train", "--resume")
    assert run.returncode == 0
    assert "this training is finished" in run.stdout


# The images of a plan --------------------------------------------------------------------------------------


def planned(folder, *argv, **changes) -> Plan:
    settings = {**GOOD, "CLASSES": None, "DATA": str(folder), "BATCH_SIZE": 8, **changes}
    return Plan.made(SimpleNamespace(**settings), parse(list(argv)))


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return pictures.make(tmp_path / "photos")


def batches(loaded, size=32):
    training = [(x.numpy(), y.numpy()) for x, y in loaded.training_batches(size).take(9)]
    test = [(x.numpy(), y.numpy()) for x, y in loaded.test_batches(size)]
    return [array for pair in (*training, *test) for array in pair]


def test_images_streamed_from_disk_are_those_kept_in_memory(photos, monkeypatch, capsys):
    kept = data.load(planned(photos))
    assert isinstance(kept.train_images, np.ndarray)
    monkeypatch.setattr(data, "MOST_IN_MEMORY", 100)
    streamed = data.load(planned(photos))
    assert not isinstance(streamed.train_images, np.ndarray)
    assert "they are read from the disk in every epoch" in capsys.readouterr().out
    for size in (32, 20):
        for one, other in zip(batches(kept, size), batches(streamed, size), strict=True):
            np.testing.assert_array_equal(one, other)
    assert kept.fingerprint == streamed.fingerprint


def test_fingerprint_follows_what_is_in_the_pictures(photos):
    before = data.load(planned(photos)).fingerprint
    assert data.load(planned(photos)).fingerprint == before
    assert data.load(planned(photos, SEED=1)).fingerprint == before
    assert data.load(planned(photos, CHANNELS=1)).fingerprint != before
    assert data.load(planned(photos, IMAGE_SIZE=16)).fingerprint != before
    (photos / "ring" / "000.png").write_bytes((photos / "cross" / "000.png").read_bytes())
    assert data.load(planned(photos)).fingerprint != before


@pytest.mark.parametrize(("channels", "expected"), [(None, 1), (1, 1), (3, 3)])
def test_grey_pictures_are_grey_unless_colour_is_asked_for(tmp_path, monkeypatch, channels, expected):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(8):
            (tmp_path / "photos" / name / f"{number}.png").write_bytes(pictures.SOUND["grey.png"])
    loaded = data.load(planned("photos", CHANNELS=channels, BATCH_SIZE=4))
    assert loaded.channels == expected
    assert loaded.train_images.shape[1:] == (32, 32, expected)


def test_one_colour_picture_makes_all_of_them_colour(photos):
    (photos / "ring" / "000.png").write_bytes(pictures.SOUND["grey.png"])
    assert data.load(planned(photos)).channels == 3


def test_hold_out_takes_random_training_pictures(photos):
    loaded = data.load(planned(photos, HOLD_OUT=20))
    assert loaded.evaluated_on == "held-out"
    assert len(loaded.test_images) == 20 and len(loaded.test_files) == 20
    assert len(set(loaded.test_labels.tolist())) > 2
    for path, label in zip(loaded.test_files, loaded.test_labels, strict=True):
        assert Path(path).parent.name == loaded.classes[label]


@pytest.mark.parametrize("kind", [*DAMAGED, *UNUSUAL])
def test_picture_that_cannot_be_used_is_listed_and_ends_the_run_unless_it_may_be_left_out(
    photos, capsys, kind
):
    content, reason = (DAMAGED | UNUSUAL)[kind]
    path = photos / "ring" / f"x {kind}"
    path.write_bytes(content)
    with pytest.raises(UnusableData) as caught:
        data.load(planned(photos))
    told = str(caught.value)
    assert told.startswith(f"1 of 54 pictures cannot be used as they are:\n  {path}: ")
    assert reason in told and "SKIP_UNREADABLE = True leaves them out." in told
    assert ("CONVERT_PICTURES = True" in told) == (kind in UNUSUAL)
    loaded = data.load(planned(photos, SKIP_UNREADABLE=True))
    assert len(loaded.train_images) + len(loaded.test_images) == 53
    assert str(path) in capsys.readouterr().out
    assert Path("output/unusable_pictures.txt").read_text(encoding="utf-8").startswith(f"{path}: ")
    if kind in UNUSUAL:
        converted = data.load(planned(photos, CONVERT_PICTURES=True))
        assert len(converted.train_images) + len(converted.test_images) == 54


@pytest.mark.parametrize("name", ["OUTPUT_DIR", "CLR_PLOT_PATH", "TENSORBOARD_DIR"])
def test_results_are_not_put_among_the_pictures(photos, name):
    inside = str(photos / ("ring/clr.png" if name == "CLR_PLOT_PATH" else "output"))
    folders = sorted(path.name for path in photos.iterdir())
    with pytest.raises(SettingError, match=rf"^{name} = '.*' lies in DATA = '.*photos', where every folder"):
        planned(photos, **{name: inside}).settings.make_folders()
    assert sorted(path.name for path in photos.iterdir()) == folders


def test_file_name_that_is_no_text_is_one_that_can_be_written(photos):
    (photos / "ring" / "000.png").rename(os.fsdecode(os.fsencode(photos) + b"/ring/\xff.png"))
    loaded = data.load(planned(photos))
    names = [*loaded.train_files, *loaded.test_files]
    assert str(photos / "ring" / "\\xff.png") in names
    assert "".join(names).encode()


def test_class_that_has_nothing_left_is_named(photos):
    for path in (photos / "ring").iterdir():
        path.write_bytes(b"")
    with pytest.raises(
        UnusableData, match=r"ring has no picture that can be used\. Add some, or remove the fol"
    ):
        data.load(planned(photos, SKIP_UNREADABLE=True))


def test_long_list_is_cut_on_the_console_and_whole_in_its_file(photos):
    for number in range(30):
        (photos / "ring" / f"bad {number:02}.png").write_bytes(b"")
    with pytest.raises(UnusableData, match=r"\n  and 10 more\n"):
        data.load(planned(photos))
    assert len(Path("output/unusable_pictures.txt").read_text(encoding="utf-8").splitlines()) == 30


def test_list_has_the_pictures_of_both_parts_and_goes_when_all_can_be_used(photos):
    for part in ("train", "test"):
        for folder in sorted(path for path in photos.iterdir() if path.name not in ("train", "test")):
            (photos / part / folder.name).mkdir(parents=True)
            for path in sorted(folder.iterdir())[:5]:
                (photos / part / folder.name / path.name).write_bytes(path.read_bytes())
        (photos / part / "ring" / "bad.png").write_bytes(b"")
    for folder in [path for path in photos.iterdir() if path.name not in ("train", "test")]:
        shutil.rmtree(folder)
    with pytest.raises(UnusableData, match=r"^2 of "):
        data.load(planned(photos, TEST_SHARE=0.2))
    listed = Path("output/unusable_pictures.txt").read_text(encoding="utf-8").splitlines()
    assert [Path(line.split(": ")[0]).parts[-3:] for line in listed] == [
        ("train", "ring", "bad.png"),
        ("test", "ring", "bad.png"),
    ]
    for part in ("train", "test"):
        (photos / part / "ring" / "bad.png").unlink()
    data.load(planned(photos))
    assert not Path("output/unusable_pictures.txt").exists()


def test_picture_that_goes_away_in_mid_training_ends_it_in_a_line(photos, monkeypatch, capsys):
    from pyimagesearch_lr.pipeline import main, training

    monkeypatch.setattr(data, "MOST_IN_MEMORY", 100)
    monkeypatch.syspath_prepend(photos.parent)
    (photos.parent / "their_small_network.py").write_text(NETWORK, encoding="utf-8")
    real = training.train

    def train(plan, bounds, model, loaded):
        for path in photos.rglob("*.png"):
            path.unlink()
        return real(plan, bounds, model, loaded)

    monkeypatch.setattr(training, "train", train)
    settings = {
        **GOOD,
        "CLASSES": None,
        "DATA": str(photos),
        "BATCH_SIZE": 8,
        "NUM_EPOCHS": 1,
        "STEP_SIZE": 0.5,
    }
    settings |= {"MODEL": "their_small_network:small", "DTYPE_POLICY": "float32"}
    assert main(SimpleNamespace(**settings), []) == 2
    err = capsys.readouterr().err
    assert re.fullmatch(
        r"\[ERROR\] .*\.png was read before and cannot be read now: No such file or dir.*\n", err
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"DATA": "nowhere"},
            r"^DATA = 'nowhere' in config\.py: it is neither 'fashion-mnist' nor an existing folder",
        ),
        (
            {"CLASSES": list("abcdefghij")},
            r"^CLASSES = \[.*\] in config\.py: .* DATA = '.*photos'; delete one of",
        ),
        (
            {"DATA_DIR": "somewhere"},
            r"^DATA_DIR = 'somewhere' in config\.py: .* DATA = '.*photos'; delete one of",
        ),
        (
            {"IMAGE_SIZE": 15},
            r"^IMAGE_SIZE = 15 in config\.py: it must be a whole number of pixels from 16 to",
        ),
        ({"CHANNELS": 2}, r"^CHANNELS = 2 in config\.py: it must be 1 for grey, 3 for colour, or None"),
        ({"TEST_SHARE": 1}, r"^TEST_SHARE = 1 in config\.py: it must be above 0 and below 1"),
        ({"SKIP_UNREADABLE": 1}, r"^SKIP_UNREADABLE = 1 in config\.py: it must be True or False"),
        (
            {"MODEL": "resnet"},
            r"^MODEL = 'resnet' in config\.py: it must be 'minigooglenet' or 'package\.module:fu",
        ),
        ({"MODEL": "a b:c"}, r"^MODEL = 'a b:c' in config\.py"),
        ({"DATA": ""}, r"^DATA = '' in config\.py: it must be 'fashion-mnist' or the path of a folder"),
    ],
)
def test_settings_that_contradict_each_other_or_lead_nowhere(photos, changes, message):
    with pytest.raises(SettingError, match=message):
        planned(photos, **changes)


def test_short_recipe_keeps_its_proportions_and_never_enlarges(photos):
    assert [
        stage.image_size for stage in planned(photos, "--recipe", "short", IMAGE_SIZE=56).recipe.stages
    ] == [40, 56]
    settings = {**GOOD, "IMAGE_SIZE": 32}
    plan = Plan.made(SimpleNamespace(**settings), parse(["--recipe", "short"]))
    assert [stage.image_size for stage in plan.recipe.stages] == [20, 28]


def test_quick_look_says_that_it_leaves_the_folder_alone(photos):
    plan = planned(photos, "--quick")
    config = SimpleNamespace(DATA=str(photos))
    assert list(plan.without_effect(config, parse(["--quick"]))) == [
        f"DATA = {str(photos)!r} has no effect: --quick takes the sample of Fashion-MNIST"
    ]
    assert not plan.settings.has_own_pictures
