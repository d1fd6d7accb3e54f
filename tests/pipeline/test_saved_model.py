"""The trained model's file: Keras alone loads it, and it carries what its answers mean."""

from __future__ import annotations

import dataclasses
import json
import zipfile

import keras
import numpy as np
import pytest

from pyimagesearch_lr.pipeline import saved_model
from pyimagesearch_lr.pipeline.saved_model import Facts, UnusableModel, are_logits, softmax

FACTS = Facts(("кошка", "$x$"), image_size=8, channels=3, logits=True)


def network():
    return keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2, name="answers")]
    )


def test_model_and_facts_come_back_and_keras_alone_loads_the_file(tmp_path):
    model, path = network(), tmp_path / "model.keras"
    saved_model.save(path, model, FACTS)
    images = np.random.default_rng(0).random((3, 8, 8, 3))
    loaded, facts = saved_model.load(path)
    assert facts == FACTS
    for other in (loaded, keras.saving.load_model(path)):
        np.testing.assert_array_equal(other.predict(images, verbose=0), model.predict(images, verbose=0))


def test_model_that_cannot_be_written_leaves_the_one_before(tmp_path):
    path = tmp_path / "model.keras"
    saved_model.save(path, network(), FACTS)
    before = path.read_bytes()
    with pytest.raises(AttributeError, match="save"):
        saved_model.save(path, object(), FACTS)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def rewritten(path, content):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(saved_model.FACTS, content)


def facts_json(**changes):
    return json.dumps(dataclasses.asdict(FACTS) | changes)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:500]),
        lambda path: network().save(path),
        lambda path: rewritten(path, "{"),
        lambda path: rewritten(path, "[]"),
        lambda path: rewritten(path, facts_json(channels=2)),
        lambda path: rewritten(path, facts_json(scaling="none")),
    ],
    ids=["empty", "truncated", "Keras's own", "no JSON", "a list", "two channels", "another scaling"],
)
def test_file_that_is_no_model_of_ours_is_told_in_a_line(tmp_path, damage):
    path = tmp_path / "model.keras"
    saved_model.save(path, network(), FACTS)
    damage(path)
    with pytest.raises(
        UnusableModel, match=r"model\.keras is not a model that a training .* saved"
    ) as caught:
        saved_model.load(path)
    assert "\n" not in str(caught.value)


def test_model_whose_layers_keras_does_not_know_is_told_in_a_line(tmp_path):
    path = tmp_path / "model.keras"
    rewritten(path, facts_json())
    with pytest.raises(UnusableModel, match=r"cannot be loaded \(\w+: .* A layer of your own has to be"):
        saved_model.load(path)


def test_missing_file_is_the_systems_own_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.keras"):
        saved_model.load(tmp_path / "gone.keras")


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ([[0.5, 0.5], [1.0, 0.0]], False),
        ([[0.498, 0.5]], False),  # as bfloat16 rounds
        ([[0.9, 0.9]], False),  # of sigmoids
        ([[0.9, 1.004]], False),
        ([[0.9, 1.2]], True),
        ([[2.0, -1.0]], True),
        ([[0.0, 0.0]], True),
    ],
)
def test_logits_are_told_from_probabilities(outputs, expected):
    assert are_logits(np.array(outputs)) is expected


def test_probabilities_of_logits_sum_to_one_also_where_exp_overflows():
    np.testing.assert_allclose(softmax(np.array([[0.0, np.log(3.0)]])), [[0.25, 0.75]])
    np.testing.assert_array_equal(softmax(np.array([[1e4, 0.0]])), [[1.0, 0.0]])
    np.testing.assert_allclose(FACTS.probabilities(np.zeros((2, 2))), np.full((2, 2), 0.5))


def test_shares_of_sigmoids_are_divided_by_their_sum():
    facts = dataclasses.replace(FACTS, logits=False)
    np.testing.assert_allclose(
        facts.probabilities(np.array([[0.9, 0.3], [0.0, 0.5]])), [[0.75, 0.25], [0, 1]]
    )
    np.testing.assert_array_equal(facts.probabilities(np.zeros((1, 2))), [[0, 0]])
