"""The two phases of `python train.py`: find the learning-rate bounds, then train between them."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyimagesearch_lr.pipeline.plan import SettingError, epochs_in_words, recipe_of
from pyimagesearch_lr.schedules import MidCycleWarning, epochs_that_end_a_cycle

if TYPE_CHECKING:
    from pyimagesearch_lr.pipeline.plan import Recipe, Settings
    from pyimagesearch_lr.suggest import Suggestion

FINDER = "the finder"  # where the bounds of a run come from, if not from config.py
KEPT_ON_RESUME = (
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
)
EXIT_OK, EXIT_NO_SUGGESTION = 0, 1


class UnusableData(Exception):  # noqa: N818 - the message is the data room's own
    """The images cannot be found, read or trusted; the message says why and what to do."""


def run(settings: Settings, *, find: bool, train: bool, resume: bool) -> int:
    if resume and not _checkpoint_path(settings).exists():
        _info("nothing to resume, starting anew")
        resume = False
    if resume:
        settings = _bounds_of_checkpoint(settings)
    recipe = recipe_of(settings)
    if train:
        _say_where_training_ends(settings, recipe)
    _import_quietly()
    data = _load_data(settings)
    settings.check_leaves_images("batch_size", len(data.train_images))
    model = _compiled_model(settings, recipe)
    if find and not resume:
        suggestion = _find_bounds(settings, recipe, model, data)
        if suggestion is None and train:
            return EXIT_NO_SUGGESTION
        if suggestion is not None:
            settings = dataclasses.replace(
                settings, min_lr=suggestion.base_lr, max_lr=suggestion.max_lr, bounds_from=FINDER
            )
    if train:
        _train(settings, recipe, model, data, resume)
    return EXIT_OK


def _find_bounds(settings: Settings, recipe: Recipe, model: Any, data: _Data) -> Suggestion | None:
    """Phase 1: sweep, draw, save, and say which bounds to use."""
    from pyimagesearch_lr.finder import LearningRateFinder
    from pyimagesearch_lr.pipeline import page, report

    _info("finding learning rate...")
    finder = LearningRateFinder(model)
    started = time.perf_counter()
    try:
        finder.find(
            data.training_batches(settings, recipe, recipe.stages[0].image_size),
            settings.lrfind_start_lr,
            settings.lrfind_end_lr,
            epochs=1,
            steps_per_epoch=settings.lrfind_steps,
            verify=settings.lrfind_verify_steps > 0,
            verify_steps=settings.lrfind_verify_steps,
            verbose=_verbosity(),
        )
    finally:
        curve = finder.curve
        if curve is not None:
            run = _record_of_run(settings, seconds=time.perf_counter() - started)
            curve = dataclasses.replace(curve, metadata={**curve.metadata, **run})
            curve.save(Path(settings.output_dir, "lrfind.json"))
            title = "Learning rate finder, MiniGoogLeNet on Fashion-MNIST"
            report.save_figure(settings.lrfind_plot_path, curve.plot(title=title).figure)
    _info(f"learning rate finder complete: {_why_it_stopped(curve)}")
    _info(f"plot: {settings.lrfind_plot_path}, data: {Path(settings.output_dir, 'lrfind.json')}")
    _info(f"all on one page: {page.write(settings.output_dir)}")
    return _advise(curve)


def _advise(curve: Any) -> Suggestion | None:
    """Print the two lines for config.py and the reason, or why there are none."""
    from pyimagesearch_lr.suggest import NoSuggestion

    try:
        suggestion = curve.suggest()
    except NoSuggestion as reason:
        _info(f"this curve supports no suggestion: {reason}")
        return None
    suggestion = dataclasses.replace(
        suggestion, base_lr=float(f"{suggestion.base_lr:.1e}"), max_lr=float(f"{suggestion.max_lr:.1e}")
    )
    _info(f"suggested bounds, for config.py: {suggestion.reason}")
    print(f"MIN_LR = {suggestion.base_lr:.1e}\nMAX_LR = {suggestion.max_lr:.1e}")
    return suggestion


def _train(settings: Settings, recipe: Recipe, model: Any, data: _Data, resume: bool) -> None:
    """Phase 2: train with a cyclical rate, evaluate, report, draw."""
    steps_per_epoch = len(data.train_images) // settings.batch_size
    clr = recipe.rates(settings.min_lr, settings.max_lr, steps_per_epoch)
    checkpoint, epochs_done = _checkpoint(settings, model, clr, resume)
    if epochs_done > recipe.epochs:
        raise SettingError(
            f"--resume: {epochs_done} epochs are done, and NUM_EPOCHS = {recipe.epochs} in config.py: set it "
            f"to {epochs_done} or more, or start anew without resuming."
        )
    _info(f"training for {recipe.describe(settings.min_lr, settings.max_lr)}...")
    callbacks = [clr, checkpoint, *_logs(settings)]
    stage_ends = 0
    try:
        for image_size, epochs in recipe.stages:
            stage_ends += epochs
            first = max(epochs_done, stage_ends - epochs)
            if first >= stage_ends:
                continue
            if len(recipe.stages) > 1:
                _info(f"epochs {first + 1} to {stage_ends}: images of {image_size} x {image_size} pixels")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", MidCycleWarning)  # the console says it, in terms of config.py
                model.fit(
                    data.training_batches(
                        settings, recipe, image_size, drop_remainder=True, start_epoch=first
                    ),
                    validation_data=data.test_batches(settings, image_size),
                    steps_per_epoch=steps_per_epoch,
                    initial_epoch=first,
                    epochs=stage_ends,
                    callbacks=callbacks,
                    verbose=_verbosity(),
                    shuffle=False,
                )
    except KeyboardInterrupt:
        if checkpoint.epochs_saved:
            _info(f"stopped; --resume goes on after epoch {checkpoint.epochs_saved}")
        raise
    _report(settings, recipe, model, data, checkpoint.logs, clr.history["lr"])
    checkpoint.discard()


def _checkpoint_path(settings: Settings) -> Path:
    return Path(settings.output_dir, "checkpoint.npz")


def _bounds_of_checkpoint(settings: Settings) -> Settings:
    """The settings, with the bounds that the stopped training has found, if it did not take config.py's."""
    from pyimagesearch_lr.pipeline.checkpoint import saved_settings

    saved = saved_settings(_checkpoint_path(settings))
    if saved.get("BOUNDS_FROM") != FINDER:
        return settings
    return dataclasses.replace(
        settings, min_lr=saved["MIN_LR"], max_lr=saved["MAX_LR"], bounds_from=saved["BOUNDS_FROM"]
    )


def _checkpoint(settings: Settings, model: Any, clr: Any, resume: bool) -> tuple[Any, int]:
    """The checkpoint of this training and how many epochs it has behind it."""
    from pyimagesearch_lr.pipeline.checkpoint import EpochCheckpoint

    settings_to_keep = {name.upper(): getattr(settings, name) for name in KEPT_ON_RESUME}
    settings_to_keep["DTYPE_POLICY"] = model.dtype_policy.name
    checkpoint = EpochCheckpoint(
        _checkpoint_path(settings), settings_to_keep, {"lr": clr.history.setdefault("lr", [])}
    )
    if not resume:
        checkpoint.discard()
        return checkpoint, 0
    try:
        epochs_done = checkpoint.restore(model)
    except ValueError as error:
        raise SettingError(f"--resume: {error}") from error
    clr.history["lr"] = checkpoint.step_history["lr"]
    _info(f"going on after epoch {epochs_done}")
    return checkpoint, epochs_done


def _logs(settings: Settings) -> list[Any]:
    """The callback for TensorBoard, in a folder of its own each training, where it is asked for."""
    if settings.tensorboard_dir is None:
        return []
    from pyimagesearch_lr.pipeline.tensorboard_log import TensorBoardLog

    folder = Path(settings.tensorboard_dir, f"{datetime.now():%Y%m%d-%H%M%S}")
    _info(f"event files for TensorBoard: {folder}")
    return [TensorBoardLog(folder)]


def _report(
    settings: Settings, recipe: Recipe, model: Any, data: _Data, history: dict, lrs: list[float]
) -> None:
    """Everything that a finished training leaves: the report on the console, files and figures."""
    from pyimagesearch_lr import plots
    from pyimagesearch_lr.pipeline import page, report

    _info("evaluating network...")
    image_size = recipe.stages[-1].image_size
    predicted = model.predict(data.test_batches(settings, image_size), verbose=0).argmax(axis=1)
    text = report.classification_report(data.test_labels, predicted, settings.classes)
    print(text)

    run = _record_of_run(settings, seconds=sum(history["seconds"]))
    folder = Path(settings.output_dir)
    accuracy = float((predicted == data.test_labels).mean())
    confusion = report.confusion_matrix(data.test_labels, predicted, len(settings.classes))
    results = {
        "training": recipe.describe(settings.min_lr, settings.max_lr),
        f"{data.evaluated_on}_accuracy": accuracy,
        "confusion_matrix": confusion,
        "history": history,
    }
    report.save_text(folder / "report.txt", text)
    report.save_history(folder / "history.csv", history)
    report.save_json(folder / "training.json", {**run, **results})
    report.save_model(folder / "model.keras", model)
    evaluated_on = data.evaluated_on.replace("_", "-")
    title = f"MiniGoogLeNet on Fashion-MNIST, {epochs_in_words(recipe.epochs)}"
    figure = plots.training_history(history, evaluated_on=evaluated_on, title=title)
    report.save_figure(settings.training_plot_path, figure)
    title = f"Cyclical learning rate, {recipe.mode}"
    axes = plots.lr_against_step(lrs, base_lr=settings.min_lr, max_lr=settings.max_lr, title=title)
    report.save_figure(settings.clr_plot_path, axes.figure)
    report_path = page.write(folder)
    took = report.duration(run["seconds"])
    _info(f"{evaluated_on} accuracy {accuracy:.4f} after {took}; plots, report and model: {folder}")
    _info(f"all on one page: {report_path}")


@dataclasses.dataclass(frozen=True)
class _Data:
    """Images of shape `(n, 28, 28)`, uint8, and labels of shape `(n,)`; `test`: what is evaluated on."""

    train_images: Any
    train_labels: Any
    test_images: Any
    test_labels: Any
    evaluated_on: str = "test"

    def training_batches(
        self,
        settings: Settings,
        recipe: Recipe,
        image_size: int,
        drop_remainder: bool = False,
        start_epoch: int = 0,
    ) -> Any:
        from pyimagesearch_lr.pipeline import fashion_mnist

        return fashion_mnist.training_batches(
            fashion_mnist.resize(self.train_images, image_size),
            fashion_mnist.binarize(self.train_labels),
            settings.batch_size,
            seed=settings.seed,
            whole_pixels=recipe.whole_pixels,
            drop_remainder=drop_remainder,
            start_epoch=start_epoch,
        )

    def test_batches(self, settings: Settings, image_size: int) -> Any:
        from pyimagesearch_lr.pipeline import fashion_mnist

        images = fashion_mnist.resize(self.test_images, image_size)
        labels = fashion_mnist.binarize(self.test_labels)
        return fashion_mnist.evaluation_batches(images, labels, settings.batch_size)

    def holding_out(self, count: int) -> _Data:
        """Without the test images: the last `count` training images take their place."""
        images, labels = self.train_images, self.train_labels
        return _Data(images[:-count], labels[:-count], images[-count:], labels[-count:], "held_out")


def _load_data(settings: Settings) -> _Data:
    from pyimagesearch_lr.pipeline import fashion_mnist

    try:
        if settings.quick:
            _info("loading the embedded sample of Fashion-MNIST, not the full data...")
            (train_x, train_y), (test_x, test_y) = fashion_mnist.load_sample()
        else:
            _info("loading Fashion-MNIST data...")
            (train_x, train_y), (test_x, test_y) = fashion_mnist.load_data(settings.data_dir)
    except (OSError, ValueError, RuntimeError) as error:
        raise UnusableData(str(error)) from error
    data = _Data(train_x, train_y, test_x, test_y)
    if not settings.hold_out:
        return data
    settings.check_leaves_images("hold_out", len(train_x))
    _info(f"the last {settings.hold_out:,} training images are held out; the test images are not used")
    return data.holding_out(settings.hold_out)


def _compiled_model(settings: Settings, recipe: Recipe) -> Any:
    import keras

    from pyimagesearch_lr.minigooglenet import MiniGoogLeNet
    from pyimagesearch_lr.pipeline import machine

    policy, reason = machine.dtype_policy(settings.dtype_policy)
    keras.utils.set_random_seed(settings.seed)
    keras.config.set_dtype_policy(policy)
    sizes = {stage.image_size for stage in recipe.stages}
    side = sizes.pop() if len(sizes) == 1 else None
    classes = len(settings.classes)
    model = MiniGoogLeNet.build(width=side, height=side, depth=1, classes=classes, dropout=recipe.dropout)
    if settings.quick:
        _hasten_statistics(model)
    recipe.compile(model, settings.min_lr)
    _info(f"compiling model in {policy} ({reason}), {machine.execution(model)}...")
    return model


def _hasten_statistics(model: Any) -> None:
    """Let batch normalisation's moving statistics settle within the few hundred steps of a quick run."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9


def _say_where_training_ends(settings: Settings, recipe: Recipe) -> None:
    cycle = recipe.epochs_up + recipe.epochs_down
    better = epochs_that_end_a_cycle(recipe.epochs, 1, cycle)
    if better is not None:
        choices = " or ".join(str(number) for number in better)
        length = epochs_in_words(cycle)
        _info(
            f"NUM_EPOCHS = {settings.num_epochs} is not a whole number of cycles of {length}, so "
            f"training ends above MIN_LR, which costs accuracy. NUM_EPOCHS = {choices} would end at MIN_LR."
        )


def _why_it_stopped(curve: Any) -> str:
    last = f"after {len(curve)} steps, at a learning rate of {curve.lrs[-1]:.1e}"
    return {
        "end_lr": f"it reached the last rate {last}",
        "diverged": f"the loss diverged {last}",
        "non_finite": f"the loss was no longer finite {last}",
        "exhausted": f"the data ran out {last}",
        "interrupted": f"interrupted {last}",
    }[curve.stop_reason]


def _record_of_run(settings: Settings, seconds: float) -> dict[str, Any]:
    from pyimagesearch_lr.pipeline import report

    values = {name: str(v) if isinstance(v, Path) else v for name, v in dataclasses.asdict(settings).items()}
    finished = datetime.now().astimezone().isoformat(timespec="seconds")
    return {
        "settings": values,
        "versions": report.versions(),
        "seconds": round(seconds, 1),
        "finished": finished,
    }


def _verbosity() -> int:
    """Keras's progress bar on a terminal, a line an epoch in a log file."""
    return 1 if sys.stdout.isatty() else 2


def _info(message: str) -> None:
    print(f"[INFO] {message}", flush=True)


def _import_quietly() -> None:
    """Import TensorFlow without the notices its C++ libraries write to standard error on the way.

    Figures go to files only, whatever window or notebook `MPLBACKEND` asks for.
    """
    import matplotlib

    matplotlib.use("agg")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _muted_stderr():
        import tensorflow as tf

        tf.config.list_physical_devices()


@contextmanager
def _muted_stderr() -> Iterator[None]:
    if sys.stderr is None:  # closed by whoever started Python: there is nothing to mute
        yield
        return
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with open(os.devnull, "w", encoding="utf-8") as sink:
            os.dup2(sink.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
