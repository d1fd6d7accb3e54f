"""The files of a run: whole or not at all, readable by strict readers, with the right numbers."""

from __future__ import annotations

import json
import os
import platform
import zipfile
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt
from sklearn import metrics

from pyimagesearch_lr.pipeline import report, saved_model
from pyimagesearch_lr.pipeline.saved_model import Facts


class Broken:
    """A model that writes a part of its file and then fails."""

    def save(self, path):
        Path(path).write_bytes(b"half")
        raise OSError("disk full")


def broken_figure():
    def savefig(file, **kwargs):
        file.write(b"half")
        raise OSError("disk full")

    figure = plt.figure()
    figure.savefig = savefig
    return figure


def save_model(path, model):
    saved_model.save(path, model, Facts(("a", "b"), 8, 1, logits=False))


FAILURES = {
    "text": (report.save_text, "half \ud800", UnicodeEncodeError, "surrogates not allowed"),
    "json": (report.save_json, {"a": object()}, TypeError, "not JSON serializable"),
    "history": (report.save_history, {"loss": [1.0], "accuracy": []}, ValueError, "shorter than"),
    "model": (save_model, Broken(), OSError, "disk full"),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, kind):
    save, content, error, message = FAILURES[kind]
    (tmp_path / "file.keras").write_text("old")
    with pytest.raises(error, match=message):
        save(tmp_path / "file.keras", content)
    assert os.listdir(tmp_path) == ["file.keras"]
    assert (tmp_path / "file.keras").read_text() == "old"


def test_failed_figure_leaves_the_old_file_and_is_closed(tmp_path):
    (tmp_path / "plot.png").write_text("old")
    figure = broken_figure()
    with pytest.raises(OSError, match="disk full"):
        report.save_figure(tmp_path / "plot.png", figure)
    assert os.listdir(tmp_path) == ["plot.png"]
    assert (tmp_path / "plot.png").read_text() == "old"
    assert not plt.fignum_exists(figure.number)


def test_file_appears_only_when_it_is_whole(tmp_path):
    seen = []

    class Model:
        def save(self, path):
            Path(path).write_bytes(b"")
            seen.append((Path(path).suffix, Path(path).parent, (tmp_path / "new" / "model.keras").exists()))
            zipfile.ZipFile(path, "w").close()

    save_model(tmp_path / "new" / "model.keras", Model())
    assert seen == [(".keras", tmp_path / "new", False)]
    assert os.listdir(tmp_path / "new") == ["model.keras"]
    assert zipfile.ZipFile(tmp_path / "new" / "model.keras").namelist() == [saved_model.FACTS]


def test_text_is_written_in_utf8(tmp_path):
    report.save_text(tmp_path / "report.txt", "précision\n")
    assert (tmp_path / "report.txt").read_bytes() == b"pr\xc3\xa9cision\n"


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


def test_json_is_strict_whatever_the_numbers(tmp_path):
    nan, inf = float("nan"), float("inf")
    report.save_json(tmp_path / "run.json", {"loss": [1.5, nan, inf], "pair": (1, -inf), "none": None})
    document = json.loads((tmp_path / "run.json").read_text(), parse_constant=refuse)
    assert document == {"loss": [1.5, "nan", "inf"], "pair": [1, "-inf"], "none": None}
    assert np.isnan(float(document["loss"][1]))
    assert float(document["loss"][2]) == inf


def test_json_ends_with_a_newline_and_keeps_every_digit(tmp_path):
    report.save_json(tmp_path / "run.json", {"lr": 0.1 + 0.2})
    assert (tmp_path / "run.json").read_text() == '{\n "lr": 0.30000000000000004\n}\n'


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("a.png", b"\x89PNG"),
        ("A.PNG", b"\x89PNG"),
        ("a.pdf", b"%PDF"),
        ("a.svg", b"<?xml"),
        ("a.jpg", b"\xff\xd8"),
    ],
)
def test_figure_has_the_format_of_its_ending_and_is_closed(tmp_path, name, signature):
    figure, _ = plt.subplots()
    report.save_figure(tmp_path / name, figure)
    assert (tmp_path / name).read_bytes().startswith(signature)
    assert not plt.fignum_exists(figure.number)


def test_figure_is_handed_on_as_it_is_read_again(tmp_path):
    path = tmp_path / "new" / "a.png"
    picture = report.save_figure(path, plt.figure())
    assert picture == (str(path), path.read_bytes())
    assert report.read_picture(path) == picture
    path.unlink()
    assert report.read_picture(path) == (str(path), None)


def test_history_has_a_row_an_epoch_counted_from_1(tmp_path):
    history = {"accuracy": [0.5, 0.75], "loss": [2.25, float("nan")], "learning_rate": [1e-05, 0.01]}
    report.save_history(tmp_path / "history.csv", history)
    assert (tmp_path / "history.csv").read_bytes() == (
        b"epoch,accuracy,loss,learning_rate\n1,0.5,2.25,1e-05\n2,0.75,nan,0.01\n"
    )


# Eight samples of four classes; hat never occurs and is never predicted, bag is predicted and never occurs.
#   true      top top top shoe shoe shoe shoe shoe
#   predicted top top shoe shoe shoe shoe bag bag
# top:  2 of 2 predictions right, 2 of 3 found: precision 1, recall 2/3, F1 2 * (2/3) / (5/3) = 0.8
# shoe: 3 of 4 predictions right, 3 of 5 found: precision 3/4, recall 3/5, F1 2 * 0.45 / 1.35 = 2/3
# bag:  0 of 2 predictions right, none to find: all 0. hat: all 0.
# accuracy 5/8; macro F1 (0.8 + 2/3) / 4 = 0.3667; weighted F1 (3 * 0.8 + 5 * 2/3) / 8 = 0.7167
LABELS = np.array([0, 0, 0, 1, 1, 1, 1, 1])
PREDICTED = np.array([0, 0, 1, 1, 1, 1, 3, 3])
EXPECTED_ROWS = {
    "top": ["1.0000", "0.6667", "0.8000", "3"],
    "shoe": ["0.7500", "0.6000", "0.6667", "5"],
    "hat": ["0.0000", "0.0000", "0.0000", "0"],
    "bag": ["0.0000", "0.0000", "0.0000", "0"],
    "accuracy": ["0.6250", "8"],
    "macro avg": ["0.4375", "0.3167", "0.3667", "8"],
    "weighted avg": ["0.8438", "0.6250", "0.7167", "8"],
}


def test_classification_report_gives_the_numbers_worked_out_by_hand():
    text = report.classification_report(LABELS, PREDICTED, ["top", "shoe", "hat", "bag"])
    assert text.split("\n")[0].split() == ["precision", "recall", "f1-score", "support"]
    for name, expected in EXPECTED_ROWS.items():
        (line,) = [line for line in text.splitlines() if line.strip().startswith(name)]
        assert line.strip().removeprefix(name).split() == expected


def test_classification_report_names_every_class_in_order():
    names = ("ankle boot", "top", "dress")
    text = report.classification_report(np.array([2, 2]), np.array([2, 2]), names)
    assert [line.strip()[:3] for line in text.splitlines()[2:5]] == ["ank", "top", "dre"]


def test_confusion_matrix_counts_true_classes_in_rows():
    # Top twice right and once taken for a shoe; shoe three times right, twice taken for a bag.
    expected = [[2, 1, 0, 0], [0, 3, 0, 2], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert report.confusion_matrix(LABELS, PREDICTED, 4) == expected
    assert report.confusion_matrix(LABELS.astype("uint8"), PREDICTED, 4) == expected


def test_scores_are_scikit_learns():
    names = ["top", "shoe", "hat", "bag"]
    expected = metrics.classification_report(
        LABELS, PREDICTED, labels=range(4), target_names=names, output_dict=True, zero_division=0
    )
    rows = {row["name"]: row for row in report.scores(report.confusion_matrix(LABELS, PREDICTED, 4), names)}
    assert list(rows) == list(expected) == list(EXPECTED_ROWS)
    accuracy = expected.pop("accuracy")
    assert rows.pop("accuracy") == dict(
        zip(report.COLUMNS, ("accuracy", None, None, accuracy, 8), strict=True)
    )
    for name, row in expected.items():
        assert rows[name] == {"name": name, **{score: pytest.approx(value) for score, value in row.items()}}


def test_scores_of_a_class_named_like_an_average_are_kept():
    first, second, *rest = report.scores([[1, 0], [0, 1]], ["accuracy", "macro avg"])
    assert [row["name"] for row in (first, second)] == ["accuracy", "macro avg"]
    assert first == {"name": "accuracy", "precision": 1.0, "recall": 1.0, "f1-score": 1.0, "support": 1}
    assert [row["name"] for row in rest] == ["accuracy", "macro avg", "weighted avg"]


def test_scores_are_json(tmp_path):
    rows = report.scores(report.confusion_matrix(LABELS, PREDICTED, 4), ["top", "shoe", "hat", "bag"])
    report.save_json(tmp_path / "scores.json", rows)
    assert json.loads((tmp_path / "scores.json").read_text()) == rows


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 min 0 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (7321, "2 h 2 min")]
)
def test_duration_is_in_words(seconds, text):
    assert report.duration(seconds) == text


def test_versions_name_what_the_numbers_depend_on():
    import keras
    import tensorflow as tf

    assert report.versions() == {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
    }
