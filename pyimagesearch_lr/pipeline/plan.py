"""What a run is to do: one `Plan`, made and checked before anything expensive. Imports no TensorFlow."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import itertools
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from pyimagesearch_lr._arguments import LARGEST, SMALLEST
from pyimagesearch_lr.files import remove_leftovers
from pyimagesearch_lr.pipeline import checkpoint_file
from pyimagesearch_lr.pipeline.checkpoint_file import UnusableCheckpoint
from pyimagesearch_lr.pipeline.report import PLOT_ENDINGS
from pyimagesearch_lr.pipeline.terminal import info
from pyimagesearch_lr.probing import MIN_VERIFY_STEPS
from pyimagesearch_lr.schedules import CYCLIC_MODES, epochs_that_end_a_cycle

DTYPE_POLICIES = ("auto", "float32", "mixed_bfloat16", "mixed_float16")
NUM_CLASSES = 10  # of Fashion-MNIST
FASHION_MNIST, MINIGOOGLENET = "fashion-mnist", "minigooglenet"
SGD, CONV_MUON = "sgd", "conv_muon"
OPTIMIZERS = {SGD: "SGD", CONV_MUON: "ConvMuon"}  # their classes
FASHION_MNIST_SIZE = 28  # pixels, of both sides
LARGEST_IMAGE = 4096  # pixels, of a side
LEAST_IMAGE = 16  # for MiniGoogLeNet
FEW_STEPS = 1000  # of a complete recipe
MAX_SEED = 2**32 - 1
MOST = 10**7
LONGEST_VALUE = 1000
PLOT_PATHS = ("lrfind_plot_path", "training_plot_path", "clr_plot_path")


class SettingError(ValueError):
    """A setting that cannot be used: one line that names it, its value and the fix."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of config.py, with lower-case names; the comments there say what they mean."""

    min_lr: float
    max_lr: float
    batch_size: int
    step_size: float
    clr_method: str
    num_epochs: int
    lrfind_plot_path: str
    training_plot_path: str
    clr_plot_path: str
    output_dir: str = "output"
    data: str = FASHION_MNIST
    classes: list[str] | None = None
    data_dir: str | None = None
    image_size: int = 32
    channels: int | None = None
    test_share: float = 0.2
    skip_unreadable: bool = False
    convert_pictures: bool = False
    model: str = MINIGOOGLENET
    seed: int = 42
    lrfind_start_lr: float = 1e-10
    lrfind_end_lr: float = 10.0
    lrfind_steps: int = 200
    lrfind_verify_steps: int = 600
    dtype_policy: str = "auto"
    tensorboard_dir: str | None = None
    hold_out: int = 0
    clr_gamma: float = 0.99994

    @classmethod
    def from_config(cls, config: Any) -> Settings:
        """Read and check the UPPER_CASE names of a module or any other object.

        Args:
            config: The object; `config.py` as a module for the command line.

        Raises:
            SettingError: If a setting is missing, unknown or cannot be used.
        """
        _refuse_unknown_names(config)
        values = {}
        for field in dataclasses.fields(cls):
            name = field.name.upper()
            if _has(config, name):
                values[field.name] = _plain(getattr(config, name))
                if field.name == "data" or field.name.endswith(("_path", "_dir")):
                    values[field.name] = _without_tilde(name, values[field.name])
            elif field.default is dataclasses.MISSING:
                raise SettingError(f"{name} is missing from config.py: add a line `{name} = ...`.")
        return cls(**values)

    def make_folders(self) -> None:
        """Make the folders for the results and check that they can be written to.

        Raises:
            SettingError: If one cannot, or is among the pictures, or a plot has the path of a folder.
        """
        self._refuse_results_among_pictures()
        folders = {"output_dir": Path(self.output_dir)}
        folders.update({name: Path(getattr(self, name)).parent for name in PLOT_PATHS})
        if self.tensorboard_dir is not None:
            folders["tensorboard_dir"] = Path(self.tensorboard_dir)
        for name, folder in folders.items():
            reason = _why_not_writable(folder)
            if reason is not None:
                raise SettingError(
                    f"{name.upper()} = {getattr(self, name)!r}: the folder {str(folder)!r} cannot be written "
                    f"to ({reason}). Name another one, or change its permissions."
                )
        for name in PLOT_PATHS:
            is_free = not os.path.isdir(getattr(self, name))
            _require(self, name, is_free, "must name a file, and there is a folder of that name")

    def _refuse_results_among_pictures(self) -> None:
        """See that no result of a run is ever taken for a picture, or a folder of them for a class."""
        if not self.has_own_pictures:
            return
        for name in ("output_dir", *PLOT_PATHS, "tensorboard_dir"):
            path = getattr(self, name)
            if path is not None and Path(path).resolve().is_relative_to(Path(self.data).resolve()):
                raise SettingError(
                    f"{name.upper()} = {str(path)!r} lies in DATA = {str(self.data)!r}, where every folder "
                    "is a class. Name a folder outside of it, or move the pictures into one."
                )

    def remove_leftovers(self) -> None:
        """Remove the temporary files of runs that were killed."""
        remove_leftovers(self.output_dir)
        for name in PLOT_PATHS:
            path = Path(getattr(self, name))
            remove_leftovers(path.parent, path.name)

    @property
    def checkpoint_path(self) -> Path:
        """Where a training keeps what `--resume` continues from."""
        return Path(self.output_dir, "checkpoint.npz")

    def check_leaves_images(self, name: str, num_images: int) -> None:
        """Check that `batch_size`, or `hold_out`, is less than the number of training images.

        Raises:
            SettingError: If it is not.
        """
        rule = f"must be less than the number of training images, {num_images}"
        _require(self, name, getattr(self, name) < num_images, rule)

    def __post_init__(self) -> None:
        for name in ("min_lr", "max_lr", "lrfind_start_lr", "lrfind_end_lr", "step_size"):
            value = getattr(self, name)
            _require(self, name, _is_number(value) and value > 0, "must be a finite number above 0")
        for name in ("min_lr", "max_lr", "lrfind_start_lr", "lrfind_end_lr"):
            is_held = SMALLEST <= getattr(self, name) <= LARGEST
            _require(self, name, is_held, f"must be in the range of float32, {SMALLEST:.1e} to {LARGEST:.1e}")
        for name in ("batch_size", "num_epochs"):
            value = getattr(self, name)
            _require(self, name, _is_whole(value) and value >= 1, "must be a whole number of at least 1")
        is_count = _is_whole(self.hold_out) and self.hold_out >= 0
        _require(self, "hold_out", is_count, "must be 0, or how many training images to evaluate on instead")
        shrinks = _is_number(self.clr_gamma) and 0 < self.clr_gamma < 1
        _require(self, "clr_gamma", shrinks, "must be above 0 and below 1")
        at_least_2 = _is_whole(self.lrfind_steps) and self.lrfind_steps >= 2
        _require(self, "lrfind_steps", at_least_2, "must be a whole number of at least 2")
        steps, least = self.lrfind_verify_steps, MIN_VERIFY_STEPS
        rule = f"must be 0, to leave it out, or a whole number of at least {least}"
        _require(self, "lrfind_verify_steps", _is_whole(steps) and (steps == 0 or steps >= least), rule)
        for name in ("batch_size", "num_epochs", "step_size", "lrfind_steps", "lrfind_verify_steps"):
            _require(self, name, getattr(self, name) <= MOST, f"must be at most {MOST:,}")
        in_range = _is_whole(self.seed) and 0 <= self.seed <= MAX_SEED
        _require(self, "seed", in_range, f"must be a whole number from 0 to {MAX_SEED}")
        below = f"must be less than MAX_LR = {self.max_lr!r}; swap them, or lower it"
        _require(self, "min_lr", self.min_lr < self.max_lr, below)
        below = f"must be less than LRFIND_END_LR = {self.lrfind_end_lr!r}; swap them, or lower it"
        _require(self, "lrfind_start_lr", self.lrfind_start_lr < self.lrfind_end_lr, below)
        for name, choices in (("clr_method", CYCLIC_MODES), ("dtype_policy", DTYPE_POLICIES)):
            value = getattr(self, name)
            is_choice = isinstance(value, str) and value in choices
            _require(self, name, is_choice, f"must be one of {choices}")
        if self.classes is not None:
            self._check_classes(self.classes)
        self._check_images()
        for name in ("output_dir", *PLOT_PATHS):
            _require(self, name, _is_path(getattr(self, name)), "must be a path")
        for name in ("data_dir", "tensorboard_dir"):
            is_folder = getattr(self, name) is None or _is_path(getattr(self, name))
            _require(self, name, is_folder, "must be the path of a folder, or None")
        for name in PLOT_PATHS:
            is_image = Path(getattr(self, name)).suffix.lower() in PLOT_ENDINGS
            _require(self, name, is_image, "must end in .png, .pdf, .svg or .jpg")
        for name, other in itertools.combinations(PLOT_PATHS, 2):
            differ = Path(getattr(self, name)).name != Path(getattr(self, other)).name
            _require(self, other, differ, f"must not have the file name of {name.upper()}")

    def _check_classes(self, classes: Any) -> None:
        enough = isinstance(classes, list | tuple) and len(classes) == NUM_CLASSES
        named = enough and all(isinstance(each, str) and each for each in classes)
        _require(self, "classes", named, f"must be a list of the {NUM_CLASSES} class names")
        shown = all(name.isprintable() and name.strip() == name for name in classes)
        _require(self, "classes", shown, "must have names that can be printed, without spaces around them")
        differ = len(set(classes)) == NUM_CLASSES
        _require(self, "classes", differ, "must have a name of its own for every class")

    def _check_images(self) -> None:
        """Check the settings that choose the images and the network."""
        _require(self, "data", _is_path(self.data), f"must be {FASHION_MNIST!r} or the path of a folder")
        if self.has_own_pictures:
            is_folder = os.path.isdir(self.data)
            rule = (
                f"is neither {FASHION_MNIST!r} nor an existing folder; relative paths begin at {os.getcwd()}"
            )
            _require(self, "data", is_folder, rule)
            for name in ("data_dir", "classes"):
                told = f"is only for {FASHION_MNIST!r}, and DATA = {str(self.data)!r}; delete one of the two"
                _require(self, name, getattr(self, name) is None, told)
        named = isinstance(self.model, str) and (self.model == MINIGOOGLENET or _is_reference(self.model))
        rule = f"must be {MINIGOOGLENET!r} or 'package.module:function', a function that makes a Keras model"
        _require(self, "model", named, rule)
        least = LEAST_IMAGE if self.model == MINIGOOGLENET else 1
        in_range = _is_whole(self.image_size) and least <= self.image_size <= LARGEST_IMAGE
        rule = f"must be a whole number of pixels from {least} to {LARGEST_IMAGE}"
        _require(self, "image_size", in_range, rule)
        is_choice = self.channels is None or (_is_whole(self.channels) and self.channels in (1, 3))
        _require(self, "channels", is_choice, "must be 1 for grey, 3 for colour, or None to follow the files")
        is_share = _is_number(self.test_share) and 0 < self.test_share < 1
        _require(self, "test_share", is_share, "must be above 0 and below 1")
        for name in ("skip_unreadable", "convert_pictures"):
            _require(self, name, isinstance(getattr(self, name), bool), "must be True or False")

    @property
    def has_own_pictures(self) -> bool:
        """Whether the images are from a folder of the user's."""
        return self.data != FASHION_MNIST

    @property
    def full_size(self) -> int:
        """The image size in pixels at which no detail is lost and none is invented."""
        return self.image_size if self.has_own_pictures else min(self.image_size, FASHION_MNIST_SIZE)


def _has(config: Any, name: str) -> bool:
    try:
        return hasattr(config, name)
    except Exception as error:  # whatever a module's own `__getattr__` raises
        raise SettingError(f"{name} in config.py cannot be read ({type(error).__name__}).") from error


def _refuse_unknown_names(config: Any) -> None:
    known = [field.name.upper() for field in dataclasses.fields(Settings)]
    for name in dir(config):
        if name not in known and name.upper() in known:
            raise SettingError(f"{name} in config.py is not a setting: write it as {name.upper()}.")
        is_constant = name.isupper() and not name.startswith("_")
        if is_constant and name not in known and not isinstance(getattr(config, name), ModuleType):
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.55)
            choice = f"did you mean {nearest[0]}?" if nearest else f"the settings are {', '.join(known)}."
            raise SettingError(
                f"{name} in config.py is not a setting: {choice} A constant of your own may stay as _{name}."
            )


def _require(settings: Settings, name: str, holds: bool, rule: str) -> None:
    if not holds:
        raise SettingError(f"{name.upper()} = {_shown(getattr(settings, name))} in config.py: it {rule}.")


def _shown(value: Any) -> str:
    """The value in one line, even if `repr` fails, as it does for a number of 10,000 digits."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # whatever the value's own code raises
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def _without_tilde(name: str, value: Any) -> Any:
    """A path with the user's folder in place of a leading `~`."""
    if not (_is_path(value) and str(value).startswith("~")):
        return value
    try:
        return str(Path(value).expanduser())
    except RuntimeError as error:
        raise SettingError(
            f"{name} = {str(value)!r} in config.py: there is no such user's folder."
        ) from error


def _plain(value: Any) -> Any:
    """NumPy's scalars as Python's own numbers, which print and save like any other."""
    return value.item() if isinstance(value, np.generic) else value


def _is_number(value: Any) -> bool:
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and abs(value) <= sys.float_info.max


def _is_reference(value: str) -> bool:
    """Whether it has the form of "package.module:function"."""
    module, _, function = value.partition(":")
    return function.isidentifier() and all(part.isidentifier() for part in module.split("."))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_path(value: Any) -> bool:
    return isinstance(value, str | Path) and str(value) != "" and "\0" not in str(value) and _is_text(value)


def _is_text(value: str | Path) -> bool:
    """Whether it can be written to a file: half of a pair of surrogates cannot."""
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return False
    return True


def _why_not_writable(folder: Path) -> str | None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror


class Stage(NamedTuple):
    """A part of a training in which the images have one size."""

    image_size: int  # pixels, of both sides
    epochs: int


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Stages, cycle, optimizer and loss of a training.

    Args:
        stages: Tuple of `Stage`, in their order; the learning rate continues from one to the next.
        epochs_up: Number, epochs in which the rate of a cycle rises; 0.5 is half an epoch.
        epochs_down: Number, epochs in which it falls.
        mode: String, as in `CyclicLR`.
        gamma: Float, as in `CyclicLR`, for "exp_range".
        optimizer: String, "sgd" or "conv_muon": `keras.optimizers.SGD` or `ConvMuon`.
        momentum: Float in [0, 1), the optimizer's.
        nesterov: Bool, whether the momentum is Nesterov's.
        weight_decay: Float, the share of every kernel that a step subtracts, times the learning rate.
        label_smoothing: Float from 0 to 1, the share of a label that is spread over all classes.
        dropout: Float in [0, 1), that of the network.
        shift: Float in [0, 1), the largest shift of an image, as a share of its side.
        whole_pixels: Bool, whether images are shifted by whole pixels only, which keeps them sharp.
        alternate_flips: Bool, whether each image is mirrored in every other epoch, in place of at random.
        erased: Float in [0, 1), the side of a square of every image that is blanked, as a share of the side.
        mirrored_mean: Bool, whether an answer is the mean of those for an image and for its mirror image.
        batch_size: Int, in place of BATCH_SIZE; None leaves it.
        verify_steps: Int, in place of LRFIND_VERIFY_STEPS where that is less; None leaves it.
    """

    stages: tuple[Stage, ...]
    epochs_up: float
    epochs_down: float
    mode: str = "triangular"
    gamma: float = 1.0
    optimizer: str = SGD
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    dropout: float = 0.5
    shift: float = 0.1
    whole_pixels: bool = False
    alternate_flips: bool = False
    erased: float = 0.0
    mirrored_mean: bool = False
    batch_size: int | None = None
    verify_steps: int | None = None

    @property
    def epochs(self) -> int:
        """The epochs of all stages."""
        return sum(stage.epochs for stage in self.stages)

    def scaled_to(self, image_size: int) -> Recipe:
        """The same for images of another size: that of the last stage, the others in proportion.

        Example:

        >>> Recipe((Stage(20, 7), Stage(28, 7)), epochs_up=4, epochs_down=10).scaled_to(56).stages
        (Stage(image_size=40, epochs=7), Stage(image_size=56, epochs=7))
        """
        full = self.stages[-1].image_size
        stages = tuple(Stage(round(image_size * size / full), epochs) for size, epochs in self.stages)
        return dataclasses.replace(self, stages=stages)

    @property
    def epochs_of_cycle(self) -> float:
        """The epochs of one cycle."""
        return self.epochs_up + self.epochs_down

    def stages_after(self, epochs_done: int) -> Iterator[tuple[int, int, int]]:
        """What is left of the stages: image size, epoch to begin with (from 0), epoch to end before.

        Example:

        >>> recipe = Recipe((Stage(20, 7), Stage(28, 7)), epochs_up=4, epochs_down=10)
        >>> list(recipe.stages_after(3))
        [(20, 3, 7), (28, 7, 14)]
        """
        end = 0
        for image_size, epochs in self.stages:
            begin, end = end, end + epochs
            if end > epochs_done:
                yield image_size, max(begin, epochs_done), end

    def describe(self, min_lr: float, max_lr: float, optimizer: str | None = None) -> str:
        """The training in a line, for the user.

        Args:
            min_lr: Float, the lowest rate.
            max_lr: Float, the highest rate.
            optimizer: String, the name of the optimizer's class; None is the recipe's own.
        """
        sizes = ", then ".join(f"{epochs} of {size} x {size} pixels" for size, epochs in self.stages)
        stages = f" ({sizes})" if len(self.stages) > 1 else ""
        bounds = f"{self.mode} learning rate between {min_lr:g} and {max_lr:g}"
        ways = f"up in {epochs_in_words(self.epochs_up)} and down in {self.epochs_down:g}"
        batches = f" in batches of {self.batch_size}" if self.batch_size else ""
        optimizer = optimizer or OPTIMIZERS[self.optimizer]
        trained_by = "" if optimizer == OPTIMIZERS[SGD] else f" with {optimizer}"
        return f"{epochs_in_words(self.epochs)}{stages}{batches}{trained_by}, {bounds}, {ways}"


def tutorial(settings: Settings) -> Recipe:
    """The tutorial's recipe, completed by the settings."""
    return Recipe(
        stages=(Stage(settings.image_size, settings.num_epochs),),
        epochs_up=settings.step_size,
        epochs_down=settings.step_size,
        mode=settings.clr_method,
        gamma=settings.clr_gamma if settings.clr_method == "exp_range" else 1.0,
    )


TUTORIAL = "tutorial"
SHORT = Recipe(
    stages=(Stage(20, 4), Stage(28, 2)),
    epochs_up=1,
    epochs_down=5,
    optimizer=CONV_MUON,
    nesterov=True,
    weight_decay=5e-3,
    label_smoothing=0.1,
    dropout=0.0,
    shift=0.05,
    whole_pixels=True,
    alternate_flips=True,
    mirrored_mean=True,
    batch_size=128,
)
BEST = dataclasses.replace(
    SHORT,
    stages=(Stage(20, 7), Stage(28, 5)),
    epochs_up=1.5,
    epochs_down=10.5,
    verify_steps=1200,
)
COMPLETE = {"short": SHORT, "best": BEST}
RECIPES = (TUTORIAL, *COMPLETE)


def title_of(record: Mapping[str, Any]) -> str:
    """What a run is about, for people.

    Args:
        record: Mapping, the settings of a run as its files keep them.

    Example:

    >>> title_of({"model": "minigooglenet", "data": "photos/birds"})
    'MiniGoogLeNet on birds'
    """
    model, data = record.get("model", MINIGOOGLENET), record.get("data", FASHION_MNIST)
    network = "MiniGoogLeNet" if model == MINIGOOGLENET else model
    images = "Fashion-MNIST" if data == FASHION_MNIST else Path(data).name or data
    return f"{network} on {images}"


def epochs_in_words(number: float) -> str:
    """The number with its unit: "0.5 epochs", "1 epoch", "8 epochs"."""
    return f"{number:g} epoch{'' if number == 1 else 's'}"


@dataclasses.dataclass(frozen=True)
class Bounds:
    """The lowest and the highest learning rate of a training, and where they come from."""

    min_lr: float
    max_lr: float
    bounds_from: str


CONFIG, FINDER = "config.py", "the finder"
QUICK: dict[str, Any] = {
    "data": FASHION_MNIST,
    "lrfind_start_lr": 1e-6,
    "lrfind_end_lr": 10.0,
    "lrfind_steps": 200,
    "step_size": 2,
    "num_epochs": 4,
}
QUICK_AT_MOST = {"lrfind_verify_steps": 240, "batch_size": 16, "hold_out": 200, "image_size": 32}
SAME_ON_RESUME = (
    "recipe",
    "bounds_from",
    "min_lr",
    "max_lr",
    "step_size",
    "clr_method",
    "clr_gamma",
    "batch_size",
    "seed",
    "hold_out",
    "quick",
    "image_size",
    "model",
)
OF_FINDER = ("lrfind_start_lr", "lrfind_end_lr", "lrfind_steps", "lrfind_verify_steps")
RUN = "the run"  # in the checkpoint and in the curve: which run measured it


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run is to do.

    Args:
        settings: `Settings`, those of config.py, changed by command line and recipe.
        recipe: `Recipe` to train by.
        recipe_name: String, the name of that recipe.
        bounds: `Bounds` to train between, unless this run finds its own.
        quick: Bool, whether it is a quick look at the embedded sample.
        find: Bool, whether to find the bounds.
        train: Bool, whether to train.
        resume: Bool, whether it continues where a training was stopped.
        restart: Bool, whether to discard what a stopped training left.
        fresh: `Plan` that starts over, for a run that goes on without being told to and may turn out to be of
            other images; None for all others.
    """

    settings: Settings
    recipe: Recipe
    recipe_name: str
    bounds: Bounds
    quick: bool
    find: bool
    train: bool
    resume: bool
    restart: bool = False
    fresh: Plan | None = None

    @classmethod
    def made(cls, config: Any, asked: argparse.Namespace) -> Plan:
        """Make the plan of a run.

        Args:
            config: Object with the UPPER_CASE settings of config.py.
            asked: What the command line asks for, as `command_line.parse` returns it.

        Raises:
            SettingError: If a setting is missing, unknown or cannot be used, or an unfinished training is in
                the way or does not fit.
        """
        settings = settings_for(config, asked)
        complete = COMPLETE.get(asked.recipe)
        recipe = complete.scaled_to(settings.full_size) if complete else tutorial(settings)
        if recipe.batch_size is not None:  # a quick look takes smaller ones
            recipe = dataclasses.replace(recipe, batch_size=settings.batch_size)
        finds = asked.auto or asked.lr_find > 0 or asked.quick or asked.recipe in COMPLETE
        plan = cls(
            settings=settings,
            recipe=recipe,
            recipe_name=asked.recipe,
            bounds=Bounds(settings.min_lr, settings.max_lr, CONFIG),
            quick=asked.quick,
            find=finds,
            train=asked.lr_find <= 0,
            resume=False,
            restart=asked.restart,
        )
        return _going_on(plan, asked.resume) if plan.train else plan

    @property
    def uses_bounds_of_config(self) -> bool:
        """Whether bounds that it finds are of use in config.py: not those for other data or a recipe."""
        return self.recipe_name == TUTORIAL and not self.quick

    @property
    def called(self) -> str:
        """The options that make it other than what config.py says."""
        recipe = [] if self.recipe_name == TUTORIAL else [f"--recipe {self.recipe_name}"]
        return " ".join([*(["--quick"] if self.quick else []), *recipe])

    def check_batch(self, num_images: int) -> None:
        """Check that a batch is smaller than the training images.

        Raises:
            SettingError: If it is not.
        """
        batch_size, recipe = self.settings.batch_size, COMPLETE.get(self.recipe_name)
        if recipe and batch_size == recipe.batch_size and batch_size >= num_images:
            raise SettingError(
                f"--recipe {self.recipe_name} trains in batches of {batch_size} images, and there are "
                f"{num_images} to train on: add images, or leave --recipe out."
            )
        self.settings.check_leaves_images("batch_size", num_images)

    def advice_for(self, steps_per_epoch: int) -> str | None:
        """What to do if a complete recipe takes few steps with the images, for the user; None otherwise.

        Raises:
            SettingError: If a cycle is too short to leave MIN_LR.
        """
        of_cycle = self.recipe.epochs_of_cycle * steps_per_epoch
        if self.train and of_cycle < 2:
            raise SettingError(
                f"STEP_SIZE = {self.settings.step_size:g} in config.py makes cycles of {of_cycle:g} steps: "
                f"an epoch of these images has {steps_per_epoch}, and the rate would stay at MIN_LR. Raise "
                f"STEP_SIZE to {1 / steps_per_epoch:g} or more, or lower BATCH_SIZE."
            )
        steps = self.recipe.epochs * steps_per_epoch
        is_complete = self.recipe_name in COMPLETE and self.train and not self.quick
        if not is_complete or steps >= FEW_STEPS:
            return None
        return (
            f"--recipe {self.recipe_name} takes {steps:,} steps with these images, and it was made for "
            "60,000 images: more epochs without it are likely to end better."
        )

    def same_on_resume(self, bounds: Bounds | None) -> dict[str, Any]:
        """The settings that must stay the same when a training continues; bounds only if they are given."""
        record = self.record(bounds or self.bounds)
        open_yet = () if bounds else tuple(vars(self.bounds))
        names = (*SAME_ON_RESUME, *OF_FINDER)
        return {name.upper(): record[name] for name in names if name not in open_yet}

    def with_finder_of(self, begun: checkpoint_file.Unfinished) -> Plan:
        """The plan with the settings of a finder that has ended: those in config.py no longer matter."""
        names = [name for name in OF_FINDER if name.upper() in begun.settings]
        used = {name: begun.settings[name.upper()] for name in names}
        return dataclasses.replace(self, settings=dataclasses.replace(self.settings, **used))

    def other_settings_of(self, record: dict[str, Any]) -> str:
        """The settings in which a finished training differs from this plan, as text; empty if none do."""
        now = self.record(self.bounds)
        names = {*SAME_ON_RESUME, "num_epochs"}
        if record.get("bounds_from") == FINDER:
            names -= set(vars(self.bounds))
        wanted = {name.upper(): value for name, value in now.items() if name in names}
        return _told(checkpoint_file.differences({n.upper(): v for n, v in record.items()}, wanted))

    def record(self, bounds: Bounds) -> dict[str, Any]:
        """The settings as the files of a run keep them: plain values, with the bounds that it used."""
        plain = {
            name: str(value) if isinstance(value, Path) else value
            for name, value in vars(self.settings).items()
        }
        return {**plain, "quick": self.quick, "recipe": self.recipe_name, **vars(bounds)}

    def without_effect(self, config: Any, asked: argparse.Namespace) -> Iterator[str]:
        """What was asked for but does nothing in this run, one line each, for the user."""
        if asked.auto and self.resume and not self.find and self.bounds.bounds_from == CONFIG:
            yield "--auto has no effect: this training continues with the bounds of config.py"
        if asked.verify is not None and not self.find:
            yield f"--{'' if asked.verify else 'no-'}verify has no effect: this run has no finder"
        told = getattr(config, "DATA", FASHION_MNIST)
        if self.quick and told != FASHION_MNIST:
            yield f"DATA = {str(told)!r} has no effect: --quick takes the sample of Fashion-MNIST"

    def advice(self) -> str | None:
        """What to set if the training would end in mid-cycle, for the user; None if it would not."""
        better = epochs_that_end_a_cycle(self.recipe.epochs, 1, self.recipe.epochs_of_cycle)
        if better is None or not self.train:
            return None
        choices = " or ".join(str(number) for number in better)
        length = epochs_in_words(self.recipe.epochs_of_cycle)
        return (
            f"NUM_EPOCHS = {self.settings.num_epochs} is not a whole number of cycles of {length}, so "
            f"training ends above MIN_LR, which costs accuracy. NUM_EPOCHS = {choices} would end at MIN_LR."
        )


def _going_on(plan: Plan, resume: bool) -> Plan:
    """The plan, given what an earlier training left; an unfinished one is never lost silently."""
    path = plan.settings.checkpoint_path
    try:
        begun = checkpoint_file.load(path)
    except UnusableCheckpoint as error:
        if plan.restart:
            return plan
        raise SettingError(str(error)) from error
    if begun is None or plan.restart:
        return plan
    bounds, done, fresh = plan.bounds, begun.epochs_done, None
    if begun.settings.get("BOUNDS_FROM") == FINDER:
        bounds = Bounds(begun.settings["MIN_LR"], begun.settings["MAX_LR"], FINDER)
    finds = "MAX_LR" not in begun.settings  # its finder had not ended
    if not finds and (resume or done):
        plan = plan.with_finder_of(begun)
    differences = begun.differences(plan.same_on_resume(bounds))
    if done == 0 and not resume:
        of_a_finder = bounds.bounds_from == FINDER or finds
        if differences or not plan.find or not of_a_finder:
            return plan  # none of it can be used here
        where = "whose finder was stopped" if finds else "that was stopped before its first epoch's end"
        info(f"continuing the run {where}; --restart starts over")
        fresh, resume = plan, True
    if not resume:
        raise SettingError(
            f"{path} holds an unfinished training, {done} of {epochs_in_words(plan.recipe.epochs)} "
            f"done{_other_settings(differences)}. --resume continues it; --restart starts over and "
            "deletes it."
        )
    for name, (before, now) in differences.items():
        raise SettingError(
            f"--resume: the training in {path} was started with {name} = {before!r}, and it is {now!r} now: "
            "set it back to continue, or start over with --restart."
        )
    if done > plan.recipe.epochs:
        raise SettingError(
            f"--resume: {done} epochs are done, and NUM_EPOCHS = {plan.recipe.epochs} in config.py: set it "
            f"to {done} or more, or start over with --restart."
        )
    if begun.passed_over is not None:
        info(begun.passed_over)
    return dataclasses.replace(plan, bounds=bounds, find=finds, resume=True, fresh=fresh)


def _told(differences: dict[str, tuple[Any, Any]]) -> str:
    return ", ".join(
        f"{name} = {before!r} there and {now!r} now" for name, (before, now) in differences.items()
    )


def _other_settings(differences: dict[str, tuple[Any, Any]]) -> str:
    return f", with other settings: {_told(differences)}" if differences else ""


def settings_for(config: Any, asked: argparse.Namespace) -> Settings:
    """The settings of config.py, changed by command line and recipe.

    Raises:
        SettingError: If a setting is missing, unknown or cannot be used.
    """
    try:
        told = Settings.from_config(config)
    except SettingError:
        raise
    except Exception as error:  # whatever the code of a user's value raises
        raise SettingError(
            f"a value in config.py cannot be used: reading it raised {type(error).__name__}."
        ) from error
    return dataclasses.replace(told, **_changes(told, asked))


def _changes(told: Settings, asked: argparse.Namespace) -> dict[str, Any]:
    """The settings that command line and recipe set in place of config.py."""
    changes: dict[str, Any] = {}
    folders = []
    if asked.verify is not None:
        steps = told.lrfind_verify_steps or Settings.lrfind_verify_steps
        changes["lrfind_verify_steps"] = steps if asked.verify else 0
    if asked.recipe in COMPLETE:
        steps = changes.get("lrfind_verify_steps", told.lrfind_verify_steps)
        changes["lrfind_verify_steps"] = steps and max(steps, COMPLETE[asked.recipe].verify_steps or 0)
    if asked.quick:
        folders.append("quick")
        wanted = {**vars(told), **changes}
        changes |= QUICK | {name: min(wanted[name], most) for name, most in QUICK_AT_MOST.items()}
    if asked.recipe in COMPLETE:
        folders.append(asked.recipe)
        recipe = COMPLETE[asked.recipe]
        changes |= {
            "num_epochs": recipe.epochs,
            "step_size": recipe.epochs_up,
            "clr_method": recipe.mode,
            "batch_size": changes.get("batch_size", recipe.batch_size or told.batch_size),
        }
    return changes | _paths_in(folders, told)


def _paths_in(folders: list[str], told: Settings) -> dict[str, Any]:
    """The paths of results in their own folders inside OUTPUT_DIR and TENSORBOARD_DIR."""
    if not folders:
        return {}
    output = Path(told.output_dir, *folders)
    return {
        "output_dir": str(output),
        "tensorboard_dir": told.tensorboard_dir and str(Path(told.tensorboard_dir, *folders)),
        **{plot: str(output / Path(getattr(told, plot)).name) for plot in PLOT_PATHS},
    }
