"""Which class pictures belong to, by a trained model: the command `pyimagesearch-lr predict`."""

from __future__ import annotations

import csv
import io
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pyimagesearch_lr.files import in_a_line, written_whole
from pyimagesearch_lr.pipeline import image_folder, machine, saved_model
from pyimagesearch_lr.pipeline.image_batches import mirrored
from pyimagesearch_lr.pipeline.image_folder import UnusablePicture
from pyimagesearch_lr.pipeline.process import EXIT_BAD_INPUT, EXIT_OK, failed, say
from pyimagesearch_lr.pipeline.terminal import muted_stderr

BATCH_SIZE = 64


class Prediction(NamedTuple):
    """The class of a picture, and the probability that the model gives it."""

    path: Path
    name: str
    confidence: float


def run(
    model_path: Path,
    pictures: Sequence[Path],
    *,
    csv_path: Path | None = None,
    convert: bool = False,
    modules: Sequence[str] = (),
) -> int:
    """Print the class of every picture; return the exit code, 2 where one cannot be used.

    Args:
        model_path: Path of the model that a training saved. Nothing else of the training is read.
        pictures: Sequence of paths of pictures, or of folders of pictures.
        csv_path: Path of a CSV file to write; None writes none.
        convert: Bool, whether pictures with unusual traits are converted, as CONVERT_PICTURES does.
        modules: Sequence of strings, modules of the current folder that the model's own layers are in.
    """
    machine.load_libraries()
    refused: list[tuple[Path, str]] = []
    try:
        _import(modules)
        model, facts = saved_model.load(model_path)
        found: list[Prediction] = []
        width = 0
        for paths, images in _batches(_paths(pictures), facts, convert, refused):
            outputs = model.predict(images, verbose=0)
            of_mirrored = model.predict(mirrored(images), verbose=0) if facts.mirrored_mean else None
            probabilities = facts.probabilities(outputs, of_mirrored)
            for path, row in zip(paths, probabilities, strict=True):
                found.append(Prediction(path, facts.classes[row.argmax()], float(row.max())))
            width = max(width, *(len(name) for name in facts.classes))
            for each in found[-len(paths) :]:
                print(f"{each.name:<{width}}  {each.confidence:6.1%}  {each.path}", flush=True)
        if csv_path is not None:
            _write_csv(csv_path, found)
    except (saved_model.UnusableModel, UnusablePicture) as error:
        return failed(str(error))
    except OSError as error:
        return failed(in_a_line(error))
    for path, reason in refused:
        say(f"[ERROR] {path}: {reason}.")
    return EXIT_BAD_INPUT if refused else EXIT_OK


def _import(modules: Sequence[str]) -> None:
    if modules:
        sys.path.insert(0, os.getcwd())
    for name in modules:
        try:
            import_module(name)
        except (Exception, SystemExit) as error:  # whatever the user's module raises
            text = " ".join(str(error).split())
            raise saved_model.UnusableModel(f"--import {name}: {type(error).__name__}: {text}.") from error


def _paths(pictures: Sequence[Path]) -> Iterator[Path]:
    """The pictures that are named, and all of the folders that are."""
    for path in pictures:
        if not path.is_dir():
            yield path
            continue
        try:
            inside = image_folder.pictures_under(path)
        except ValueError as error:  # a circular link
            raise UnusablePicture(str(error)) from error
        if not inside:
            raise UnusablePicture(f"{path} has no pictures ({image_folder.kinds()}).")
        yield from inside


def _batches(
    paths: Iterator[Path], facts: saved_model.Facts, convert: bool, refused: list[tuple[Path, str]]
) -> Iterator[tuple[list[Path], np.ndarray]]:
    """Paths and their images as the model takes them; those that cannot be used are put into `refused`."""
    ready: list[tuple[Path, np.ndarray]] = []
    for path in paths:
        try:
            ready.append((path, _image(path, facts, convert)))
        except OSError as error:
            refused.append((path, error.strerror or str(error)))
        except UnusablePicture as error:
            refused.append((path, str(error)))
        if len(ready) == BATCH_SIZE:
            yield _stacked(ready)
            ready = []
    if ready:
        yield _stacked(ready)


def _image(path: Path, facts: saved_model.Facts, convert: bool) -> np.ndarray:
    content = path.read_bytes()
    with muted_stderr(), warnings.catch_warnings():  # what decoders write, the reason tells
        warnings.simplefilter("ignore")
        examined = image_folder.examine(content)
    if examined.unreadable is not None:
        raise UnusablePicture(examined.unreadable)
    if examined.unusual is not None and not convert:
        raise UnusablePicture(f"{examined.unusual}; --convert takes it")
    image = image_folder.decoded(content, facts.channels, examined.unusual is not None)
    return image_folder.resized(image, facts.image_size)


def _stacked(ready: list[tuple[Path, np.ndarray]]) -> tuple[list[Path], np.ndarray]:
    images = np.stack([image for _, image in ready])
    return [path for path, _ in ready], images.astype(np.float32) / np.float32(255)


def _write_csv(path: Path, found: Sequence[Prediction]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "class", "confidence"])
    writer.writerows([os.fspath(each.path), each.name, f"{each.confidence:.6f}"] for each in found)
    with written_whole(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8", errors="backslashreplace")
