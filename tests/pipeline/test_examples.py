"""A picture of each class and its worst mistakes: which are chosen, and that they come back."""

from __future__ import annotations

import base64

import cv2
import numpy as np
import pytest

from pyimagesearch_lr.pipeline import examples
from pyimagesearch_lr.pipeline.examples import MOST_CLASSES

CLASSES = ("a", "b")
LABELS = np.array([0, 0, 0, 0, 0, 0, 1])
FOR_B = np.array([0.2, 0.9, 0.6, 0.8, 0.4, 0.7, 0.3])
PROBABILITIES = np.stack([1 - FOR_B, FOR_B], axis=1)


def image_of(row):
    return np.full((4, 4, 3), (row, 100, 200), np.uint8)


def chosen(**options):
    return examples.chosen(image_of, LABELS, PROBABILITIES, CLASSES, **options)


def row_shown(shown):
    image = cv2.imdecode(np.frombuffer(base64.b64decode(shown.png), np.uint8), cv2.IMREAD_COLOR)
    assert image[0, 0, :2].tolist() == [200, 100]  # OpenCV's order is blue, green, red
    return int(image[0, 0, 2])


def test_best_known_picture_and_the_three_surest_mistakes_are_chosen():
    a, b = chosen()
    assert (a.name, row_shown(a.picture), a.picture.taken_for) == ("a", 0, "a")
    assert a.picture.confidence == pytest.approx(0.8)
    assert [row_shown(mistake) for mistake in a.mistakes] == [1, 3, 5]
    assert [mistake.confidence for mistake in a.mistakes] == [0.9, 0.8, 0.7]
    assert a.number_of_mistakes == 4
    assert (b.name, row_shown(b.picture), b.picture.taken_for) == ("b", 6, "a")


def test_files_are_named_where_there_are_some():
    files = [f"{number}.png" for number in range(7)]
    a, _ = chosen(files=files)
    assert [mistake.file for mistake in a.mistakes] == ["1.png", "3.png", "5.png"]
    assert chosen()[0].picture.file == ""


def test_class_without_pictures_is_left_out():
    found = examples.chosen(image_of, LABELS[:6], PROBABILITIES[:6], CLASSES)
    assert [example.name for example in found] == ["a"]


def test_of_many_classes_those_with_the_most_mistakes_are_shown():
    count = MOST_CLASSES + 10
    labels = np.arange(count)
    predicted = np.where(labels >= 20, (labels + 1) % count, labels)
    found = examples.chosen(image_of, labels, np.eye(count)[predicted], [str(label) for label in labels])
    assert len(found) == MOST_CLASSES
    assert {str(label) for label in range(20, count)} <= {example.name for example in found}


def test_examples_come_back_from_their_file_and_damage_is_none(tmp_path):
    import json

    path = tmp_path / examples.NAME
    path.write_text(json.dumps(examples.document(chosen())), encoding="utf-8")
    assert examples.load(tmp_path) == chosen()
    for content in (
        "",
        "{}",
        "[1]",
        '[{"name": "a"}]',
        path.read_text()[:-9],
        path.read_text().replace("iVBOR", "<b>"),
    ):
        path.write_text(content, encoding="utf-8")
        assert examples.load(tmp_path) == []
    assert examples.load(tmp_path / "nowhere") == []
