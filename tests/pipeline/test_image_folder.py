"""Folders of pictures: what is found, what is refused and in which words, what OpenCV makes of them."""

from __future__ import annotations

import os
import re
import threading
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pictures
import pytest
from pictures import DAMAGED, SOUND, UNUSUAL

from pyimagesearch_lr.pipeline import image_folder
from pyimagesearch_lr.pipeline.image_folder import File, Pictures, UnusablePicture, listed, split


def names(files):
    return [(file.path.name, file.label) for file in files]


@pytest.fixture
def folder(tmp_path):
    for path in ("b/2.PNG", "b/1.jpg", "a/deep/er/3.webp", "a/4.jpeg", "c/5.bmp"):
        (tmp_path / "photos" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / path).write_bytes(SOUND["colour.png"])
    return tmp_path / "photos"


# What is found ---------------------------------------------------------------------------------------------


def test_classes_are_the_folders_and_pictures_are_found_at_any_depth(folder):
    listing = listed(folder)
    assert listing.classes == ("a", "b", "c")
    assert names(listing.training) == [("4.jpeg", 0), ("3.webp", 0), ("1.jpg", 1), ("2.PNG", 1), ("5.bmp", 2)]
    assert (listing.test, listing.notes) == (None, [])


@pytest.mark.parametrize("test", ["test", "val"])
def test_train_and_test_folders_are_taken_as_they_are(tmp_path, test):
    pictures.make(tmp_path / "train", {"cross": 3, "ring": 2})
    pictures.make(tmp_path / test, {"cross": 1, "ring": 2})
    listing = listed(tmp_path)
    assert listing.classes == ("cross", "ring")
    assert Counter(file.label for file in listing.training) == {0: 3, 1: 2}
    assert Counter(file.label for file in listing.test) == {0: 1, 1: 2}
    assert {file.path.parents[1].name for file in listing.test} == {test}


def test_test_comes_before_val_and_what_is_beside_them_is_said(tmp_path):
    for part in ("train", "test", "val", "more"):
        pictures.make(tmp_path / part, {"cross": 1, "ring": 1})
    listing = listed(tmp_path)
    assert {file.path.parents[1].name for file in listing.test} == {"test"}
    assert listing.notes == [f"of {tmp_path}, the folders more, val are left out"]


def test_train_alone_is_the_folder_of_the_classes(tmp_path):
    pictures.make(tmp_path / "train", {"cross": 2, "ring": 2})
    assert (listed(tmp_path).classes, listed(tmp_path).test) == (("cross", "ring"), None)


def test_train_may_be_a_class_among_vehicles(tmp_path):
    for name in ("bus", "train"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(SOUND["colour.png"])
    assert listed(tmp_path).classes == ("bus", "train")


def test_hidden_files_are_passed_over_and_others_are_counted(folder):
    for path in (
        "a/.DS_Store",
        "a/._4.jpeg",
        ".git/x.png",
        "__MACOSX/y.png",
        "a/notes.txt",
        "b/film.gif",
        "b/LICENSE",
    ):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(b"x")
    (folder / "loose.png").write_bytes(SOUND["colour.png"])
    listing = listed(folder)
    assert len(listing.training) == 5
    assert listing.notes == [
        f"pictures outside of the class folders are left out: {folder / 'loose.png'}",
        "3 files that are not .png, .jpg, .jpeg, .jfif, .bmp or .webp are left out (.gif, .txt, no ending)",
    ]


def test_a_class_may_begin_with_underscores(tmp_path):
    for name in ("__rejected__", "good"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(SOUND["colour.png"])
    assert listed(tmp_path).classes == ("__rejected__", "good")


def test_names_of_any_script_are_classes(tmp_path):
    classes = ["Ελλάδα", "猫", "кошка", "قط", "$\\frac{a}{b}$", "a b", "100%", "émeu"]
    classes += [
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "👩\u200d🚀",
        "猫\u3000犬",
        "a\u00a0z",
    ]  # joiners and spaces of other scripts
    for name in classes:
        (tmp_path / name).mkdir()
        (tmp_path / name / "图.png").write_bytes(SOUND["colour.png"])
    listing = listed(tmp_path)
    assert listing.classes == tuple(sorted(classes))
    assert Pictures(listing.training, 16, 3).read(range(12)).shape == (12, 16, 16, 3)


def test_linked_folder_is_a_class(folder, tmp_path):
    elsewhere = pictures.make(tmp_path / "elsewhere", {"ring": 3}) / "ring"
    (folder / "linked").symlink_to(elsewhere)
    assert Counter(file.label for file in listed(folder).training)[3] == 3


# What is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: None, r"holds one folder, 'a'; expected one folder of pictures for each class"),
        (lambda folder: (folder / "b").mkdir(), r"no pictures \(\.png, .* or \.webp\) in 'b'\. Add some, or"),
        (
            lambda folder: ((folder / "A").mkdir(), (folder / "A" / "1.png").touch()),
            r"classes 'A' and 'a', whose names differ only in case",
        ),
        (
            lambda folder: (folder / "a\nb").mkdir(),
            r"a\\nb.*: a class name must be printable, without spaces around it\. Rename the folder",
        ),
        (
            lambda folder: (folder / " b").mkdir(),
            r"/ b': a class name must be printable, without spaces around it\. Rename the folder",
        ),
        (
            lambda folder: ((folder / "b").mkdir(), (folder / "b" / "on").symlink_to(folder / "b")),
            r"b/on is a circular link: it leads back to .*/b\. Remove the link",
        ),
        (
            lambda folder: (
                (folder / "b").mkdir(),
                (folder / "b" / "up").symlink_to(folder / "a"),
                (folder / "a" / "down").symlink_to(folder / "b"),
            ),
            r"is a circular link",
        ),
    ],
    ids=[
        "one class",
        "empty class",
        "other case",
        "line break",
        "space before",
        "link to itself",
        "two links in a circle",
    ],
)
def test_folder_that_is_no_set_of_classes_is_told_in_a_line(tmp_path, change, message):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(SOUND["colour.png"])
    change(tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        listed(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("names", [("train", "valid"), ("Train", "Test"), ("training", "validation", "more")])
def test_parts_that_are_called_otherwise_are_not_taken_for_classes(tmp_path, names):
    for name in names:
        pictures.make(tmp_path / name, {"cross": 1, "ring": 1})
    told = f"holds the folders {names[0]!r} and {names[1]!r}: call them 'train' and 'test'"
    with pytest.raises(ValueError, match=told):
        listed(tmp_path)


def test_same_letters_in_another_form_of_unicode_are_refused(tmp_path):
    for name in ("caf\u00e9", "cafe\u0301"):
        (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match="whose names differ only in case or form"):
        listed(tmp_path)


def test_folder_without_folders_is_refused(tmp_path):
    (tmp_path / "1.png").write_bytes(SOUND["colour.png"])
    with pytest.raises(ValueError, match="holds no folder; expected one folder of pictures for each class"):
        listed(tmp_path)


@pytest.mark.parametrize(("training", "test"), [("abc", "ab"), ("ab", "abc"), ("ab", "aB")])
def test_other_classes_to_test_on_are_named(tmp_path, training, test):
    for part, classes in (("train", training), ("test", test)):
        for name in classes:
            (tmp_path / part / name).mkdir(parents=True)
            (tmp_path / part / name / "1.png").write_bytes(SOUND["colour.png"])
    missing = sorted(set(training) ^ set(test))[0]
    with pytest.raises(ValueError, match=rf"lacks the classes '{missing}' of "):
        listed(tmp_path)


# Held out --------------------------------------------------------------------------------------------------


def test_held_out_part_is_stratified_and_the_same_for_the_same_seed():
    files = [File(Path(f"{number}"), int(number >= 90)) for number in range(100)]
    left, held_out = split(files, 0.2, seed=1)
    assert Counter(file.label for file in held_out) == {0: 18, 1: 2}
    assert sorted([*left, *held_out]) == sorted(files)
    assert split(files, 0.2, seed=1)[1] == held_out
    assert split(files, 0.2, seed=2)[1] != held_out


@pytest.mark.parametrize(("share", "of_three"), [(0.01, 1), (0.99, 2)])
def test_each_class_keeps_one_picture_on_either_side(share, of_three):
    files = [File(Path(f"{number}"), 0) for number in range(3)]
    assert len(split(files, share, seed=0)[1]) == of_three


def test_class_of_one_picture_cannot_be_split():
    with pytest.raises(ValueError, match="solo has one picture, and a class needs two"):
        split([File(Path("solo/1.png"), 0)], 0.2, seed=0)


# Opened ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SOUND)
def test_plain_picture_has_nothing_against_it(name):
    found = image_folder.examine(SOUND[name])
    assert (found.unreadable, found.unusual) == (None, None)
    assert found.is_grey == (name in ("grey.png", "grey.jpg", "bilevel.png"))


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_picture_is_unreadable_for_a_reason(name):
    content, reason = DAMAGED[name]
    found = image_folder.examine(content)
    assert reason in found.unreadable


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_picture_is_told_by_its_trait(name):
    content, trait = UNUSUAL[name]
    found = image_folder.examine(content)
    assert found.unreadable is None
    assert trait in found.unusual


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP"])
def test_no_cut_of_a_picture_passes_or_raises(kind):
    """Only a cut that takes nothing but what follows the picture may pass."""
    content = pictures.encoded(pictures.COLOUR, kind)
    whole = image_folder.decoded(content, 3)
    for length in range(0, len(content), 97):
        found = image_folder.examine(content[:length])
        assert found.unreadable or np.array_equal(image_folder.decoded(content[:length], 3), whole)


@pytest.mark.parametrize("name", [name for name in UNUSUAL if "palette" not in name and "cmyk" not in name])
@pytest.mark.parametrize("channels", [1, 3])
def test_unusual_picture_is_converted_to_what_it_shows(name, channels):
    image = image_folder.decoded(UNUSUAL[name][0], channels, converted=True)
    expected = np.asarray(pictures.COLOUR)
    if name.startswith("turned"):
        expected = np.rot90(expected, -1)
    if channels == 1 or "grey" in name:
        expected = cv2.cvtColor(np.ascontiguousarray(expected), cv2.COLOR_RGB2GRAY)[..., None]
    tolerance = 12 if name in ("turned.jpg", "moving.webp") else 1
    assert image.shape == (*expected.shape[:2], channels)
    assert np.abs(image.astype(int) - expected).mean() <= tolerance


def test_alpha_is_laid_on_white():
    from PIL import Image

    half = Image.new("RGBA", (4, 4), (100, 0, 200, 128))
    image = image_folder.decoded(pictures.encoded(half, "PNG"), 3, converted=True)
    np.testing.assert_allclose(image[0, 0], [177, 127, 227], atol=1)


# Read and resized ------------------------------------------------------------------------------------------


def test_pictures_are_what_opencv_reads_in_red_green_blue(tmp_path):
    path = tmp_path / "x.jpg"
    path.write_bytes(SOUND["colour.JPG"])
    expected = cv2.resize(cv2.imread(str(path)), (16, 16), interpolation=cv2.INTER_AREA)[..., ::-1]
    np.testing.assert_array_equal(Pictures([File(path, 0)], 16, 3).read([0])[0], expected)
    grey = cv2.resize(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), (16, 16), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(Pictures([File(path, 0)], 16, 1).read([0])[0, ..., 0], grey)


def test_long_side_is_averaged_though_the_short_one_grows():
    stripes = np.tile(np.uint8([0, 255]), (8, 500))  # of 1000 pixels; read bilinearly, they would alias
    assert np.abs(image_folder.resized(stripes, 10)[..., 0].astype(int) - 128).max() <= 1


def test_reading_all_equals_reading_each_and_stages_resize_once_more(tmp_path):
    files = listed(pictures.make(tmp_path)).training
    whole = Pictures(files, 32, 3)
    arrays = whole.read_all(lambda steps: steps)
    np.testing.assert_array_equal(arrays[5:9], whole[5:9].read(range(4)))
    small = whole.at(20)
    assert small.shape == (len(files), 20, 20, 3)
    np.testing.assert_array_equal(small.read([7])[0], image_folder.resized(arrays[7], 20))
    assert whole.at(32) is whole


def test_picture_that_goes_away_is_told_by_name(tmp_path):
    files = listed(pictures.make(tmp_path)).training
    source = Pictures(files, 32, 3).at(16)
    files[3].path.unlink()
    with pytest.raises(UnusablePicture, match="cannot be read now: No such file"):
        source.read([2, 3])
    assert source[:10].failures == [
        f"{files[3].path} was read before and cannot be read now: No such file or directory."
    ]


def test_threads_keep_the_order_and_stop_with_their_reader():
    done = []
    steps = image_folder.in_threads(lambda number: done.append(number) or number * 2, list(range(5000)))
    assert [next(steps) for _ in range(40)] == list(range(0, 80, 2))
    steps.close()
    assert len(done) < 5000
    assert list(image_folder.in_threads(str, [])) == []


def test_thread_that_is_no_longer_wanted_ends_with_the_picture_it_is_at():
    begun, release, done = threading.Event(), threading.Event(), []

    def function(number):
        if number == image_folder.CHUNK:
            begun.set()
            release.wait(60)
        done.append(number)

    steps = image_folder.in_threads(function, list(range(200 * image_folder.CHUNK)))
    for _ in range(image_folder.CHUNK):
        next(steps)
    begun.wait(60)
    threading.Timer(0.5, release.set).start()
    steps.close()
    assert image_folder.CHUNK in done and image_folder.CHUNK + 1 not in done


def test_unreadable_file_of_the_system_is_told(tmp_path):
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    (found,) = image_folder.examined([File(tmp_path / "gone.png", 0)], lambda steps: steps)
    assert re.fullmatch(r"it cannot be opened \(No such file or directory\)", found.unreadable)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes that have a name")
def test_pipe_that_is_called_a_picture_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (found,) = image_folder.examined([File(tmp_path / "pipe.png", 0)], lambda steps: steps)
    assert found.unreadable == "it is empty"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folder_without_permission_names_itself(folder):
    (folder / "a").chmod(0)
    with pytest.raises(OSError, match="Permission denied"):
        listed(folder)
