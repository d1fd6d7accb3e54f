"""A run from top to bottom: load, compile, find the bounds, train between them, report."""

from __future__ import annotations

import dataclasses
import time
import uuid
import warnings
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyimagesearch_lr import MidCycleWarning, plots
from pyimagesearch_lr.curve import UNTRIED
from pyimagesearch_lr.pipeline import checkpoint_file, examples, machine, page, report, results, saved_model
from pyimagesearch_lr.pipeline.checkpoint_file import UnusableCheckpoint
from pyimagesearch_lr.pipeline.data import Data, UnusableData, load
from pyimagesearch_lr.pipeline.image_batches import mirrored
from pyimagesearch_lr.pipeline.model import compiled, optimizer_of
from pyimagesearch_lr.pipeline.plan import (
    CONFIG,
    FINDER,
    RUN,
    Bounds,
    SettingError,
    epochs_in_words,
    title_of,
)
from pyimagesearch_lr.pipeline.process import EXIT_NO_SUGGESTION, EXIT_OK
from pyimagesearch_lr.pipeline.report import Picture, Saving
from pyimagesearch_lr.pipeline.results import CURVE, Finding, Run, Training
from pyimagesearch_lr.pipeline.saved_model import Facts, are_logits
from pyimagesearch_lr.pipeline.stopping import raise_if_stopped
from pyimagesearch_lr.pipeline.terminal import info, verbosity

if TYPE_CHECKING:
    import keras

    from pyimagesearch_lr import CyclicLR, LRCurve
    from pyimagesearch_lr.pipeline.checkpoint import EpochCheckpoint
    from pyimagesearch_lr.pipeline.plan import Plan, Recipe

SAME_SWEEP = (
    "recipe",
    "lrfind_start_lr",
    "lrfind_end_lr",
    "lrfind_steps",
    "lrfind_verify_steps",
    "batch_size",
    "seed",
    "hold_out",
    "dtype_policy",
    "quick",
    "image_size",
    "model",
    "optimizer",
    "images",
)


class NotFinite(Exception):  # noqa: N818 - the name says what it is
    """The loss of the training is NaN or infinite; the message says what is kept and what to lower."""


def run(plan: Plan) -> int:
    """Carry out the plan; return the exit code.

    Raises:
        SettingError: If a setting does not fit the data, or what is to be resumed.
        UnusableData: If the images cannot be loaded.
        NotFinite: If the loss of the training is NaN or infinite.
        OSError: If a file cannot be written; what was found or trained has been printed, and is kept.
    """
    advice = plan.advice()
    if advice:
        info(advice)
    machine.load_libraries()
    machine.require_tensorflow()
    data = load(plan)
    advice = plan.advice_for(data.steps_per_epoch)
    if advice:
        info(advice)
    try:
        return _phases(plan, data)
    except Exception as error:
        if data.failure is not None:  # TensorFlow's message has many lines
            raise UnusableData(data.failure) from error
        raise


def _phases(plan: Plan, data: Data) -> int:
    model, data = compiled(plan, data)
    plan = _for_these_images(plan, model, data)
    bounds, finding = plan.bounds, None
    if plan.train and plan.find and not plan.resume:
        begun = {**plan.same_on_resume(None), RUN: uuid.uuid4().hex}
        checkpoint_file.begin(plan.settings.checkpoint_path, begun)

    if plan.find:
        with Saving() as saving:
            finding = find(plan, model, data, saving)
            write_page(plan, saving, finding)
            suggested = advise(plan, finding)
        if suggested is None and plan.train:
            checkpoint_file.discard(plan.settings.checkpoint_path)
            return EXIT_NO_SUGGESTION
        bounds = suggested or bounds

    if plan.train:
        training = train(plan, bounds, model, data)
        with Saving() as saving:
            write_page(plan, saving, finding, training)
        checkpoint_file.discard(plan.settings.checkpoint_path)  # everything that it was for is written
    return EXIT_OK


def _for_these_images(plan: Plan, model: keras.Model, data: Data) -> Plan:
    """The plan; the one that starts over if a run that nobody asked to continue does not fit the images."""
    begun = None if plan.fresh is None else checkpoint_file.load(plan.settings.checkpoint_path)
    others = {} if begun is None else begun.differences(_same_on_resume(plan, plan.bounds, model, data))
    if plan.fresh is None or not others:
        return plan
    info(f"starting over instead: {' and '.join(others)} differ from those of that run")
    return plan.fresh


def write_page(plan: Plan, saving: Saving, finding: Finding | None, training: Training | None = None) -> None:
    """Write the page of the run and say where it is."""
    path = saving(page.write, plan.settings.output_dir, finding, training)
    if path is not None:
        info(f"all on one page: {path}")


# Phase 1 ---------------------------------------------------------------------------------------------------


def find(plan: Plan, model: keras.Model, data: Data, saving: Saving) -> Finding:
    """Sweep, try the rates around the answer, and keep what was measured, even if it is interrupted."""
    from pyimagesearch_lr import LearningRateFinder

    settings = plan.settings
    info("finding learning rate...")
    record = _record(plan, plan.bounds, model, data)
    begun = checkpoint_file.load(settings.checkpoint_path) if plan.train else None
    which = begun.settings.get(RUN) if begun is not None else None
    earlier = _earlier(settings.output_dir, record, which) if plan.resume else None
    if earlier is not None:
        info(f"continuing from what was measured before: {len(earlier)} rates, {len(earlier.probes)} tried")
    started = time.perf_counter() - (earlier.metadata["seconds"] if earlier is not None else 0.0)

    title = plots.literal(f"Learning rate finder, {title_of(record)}")

    def keep(curve: LRCurve) -> tuple[Run, LRCurve, Picture]:
        """Save curve and plot: a run that is killed leaves both, of the same rates."""
        run, curve = _with_record(record, which, curve, started)
        plot = report.drawn(settings.lrfind_plot_path, curve.plot(title=title).figure)
        saving(curve.save, Path(settings.output_dir, CURVE))
        saving(report.save_picture, plot)
        return run, curve, plot

    finder = LearningRateFinder(model, keep=keep, earlier=earlier)
    try:
        finder.find(
            data.training_batches(plan.recipe.stages[0].image_size),
            settings.lrfind_start_lr,
            settings.lrfind_end_lr,
            num_steps=settings.lrfind_steps,
            train_steps=plan.recipe.epochs * data.steps_per_epoch,
            verify=settings.lrfind_verify_steps,
            verbose=verbosity(),
        )
        raise_if_stopped()
    finally:
        if finder.curve is not None:
            run, curve, plot = keep(finder.curve)
    finding = Finding.of(run, curve, plot)
    last = f"after {len(curve)} steps, at a learning rate of {curve.lrs[-1]:.1e}"
    info(f"learning rate finder complete: {finding.ending} {last}")
    if saving.error is None:
        info(f"plot: {settings.lrfind_plot_path}, data: {Path(settings.output_dir, CURVE)}")
    return finding


def _with_record(
    record: dict[str, Any], which: str | None, curve: LRCurve, started: float
) -> tuple[Run, LRCurve]:
    run = Run.finished_now(record, seconds=time.perf_counter() - started)
    metadata = {**curve.metadata, **dataclasses.asdict(run), **({} if which is None else {RUN: which})}
    if not record["lrfind_verify_steps"]:
        metadata[UNTRIED] = "`--verify`, or LRFIND_VERIFY_STEPS in config.py, has rates around it tried."
    return run, dataclasses.replace(curve, metadata=metadata)


def _record(plan: Plan, bounds: Bounds, model: keras.Model, data: Data) -> dict[str, Any]:
    """The settings as the files of a run keep them, with what the network and the images say."""
    found = {"optimizer": optimizer_of(model), "classes": list(data.classes), "images": data.fingerprint}
    return {**plan.record(bounds), **found}


def _earlier(folder: str, record: dict[str, Any], which: str | None) -> LRCurve | None:
    """What the stopped finder of this run has measured, if its settings and versions were the same."""
    finding = results.measured_by(which, folder)
    if finding is None:
        return None
    now = Run.finished_now(record, 0.0)
    same = all(finding.run.settings.get(name) == now.settings[name] for name in SAME_SWEEP)
    return finding.curve if same and finding.run.versions == now.versions else None


def advise(plan: Plan, finding: Finding) -> Bounds | None:
    """Print the bounds and the reason, or why there are none; return them."""
    if finding.bounds is None:
        info(f"this curve supports no suggestion: {finding.reason}")
        return None
    low, high = finding.bounds
    use = "for config.py" if plan.uses_bounds_of_config else f"for {plan.called} alone"
    info(f"suggested bounds, {use}: {finding.reason}")
    print(f"MIN_LR = {low}\nMAX_LR = {high}")
    return Bounds(float(low), float(high), FINDER)


# Phase 2 ---------------------------------------------------------------------------------------------------


def train(plan: Plan, bounds: Bounds, model: keras.Model, data: Data) -> Training:
    """Train with a cyclical rate, stage by stage, from the checkpoint on; then evaluate and report."""
    from pyimagesearch_lr.pipeline.finite_loss import FiniteLoss, LossNotFinite

    recipe = plan.recipe
    clr = cycle(recipe, bounds, data.steps_per_epoch)
    checkpoint = _checkpoint(plan, bounds, model, data, clr)
    info(f"training for {described(recipe, bounds, model)}...")
    callbacks = [clr, FiniteLoss(), checkpoint, *_event_files(plan)]
    try:
        for image_size, begin, end in recipe.stages_after(checkpoint.epochs_saved):
            if len(recipe.stages) > 1:
                info(f"epochs {begin + 1} to {end}: images of {image_size} x {image_size} pixels")
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", MidCycleWarning
                )  # `Plan.advice` has said it, with config's names
                model.fit(
                    data.training_batches(image_size, start_epoch=begin),
                    validation_data=data.test_batches(image_size),
                    steps_per_epoch=data.steps_per_epoch,
                    initial_epoch=begin,
                    epochs=end,
                    callbacks=callbacks,
                    verbose=verbosity(),
                    shuffle=False,
                )
    except LossNotFinite as error:
        raise NotFinite(f"{error}: {_way_out(bounds, checkpoint)}") from error
    return evaluate(plan, bounds, model, data, checkpoint.logs, clr.history["lr"])


def described(recipe: Recipe, bounds: Bounds, model: keras.Model) -> str:
    """The training in a line, with the optimizer that the network has."""
    return recipe.describe(bounds.min_lr, bounds.max_lr, optimizer_of(model))


def _way_out(bounds: Bounds, checkpoint: EpochCheckpoint) -> str:
    """What is kept of a training whose loss is not finite, and what to lower."""
    done = checkpoint.epochs_saved
    kept = f"epoch {done} is kept in {checkpoint.path}" if done else "no epoch was finished before"
    if bounds.bounds_from == CONFIG:
        return f"{kept}. Lower MAX_LR = {bounds.max_lr:g} in config.py."
    return f"{kept}. The finder's MAX_LR = {bounds.max_lr:g} is too high: train with a lower one."


def cycle(recipe: Recipe, bounds: Bounds, steps_per_epoch: int) -> CyclicLR:
    """The callback that cycles the learning rate through all stages of a recipe."""
    from pyimagesearch_lr import CyclicLR

    up, down = (epochs * steps_per_epoch for epochs in (recipe.epochs_up, recipe.epochs_down))
    return CyclicLR(bounds.min_lr, bounds.max_lr, up, recipe.mode, recipe.gamma, step_size_down=down)


def _same_on_resume(plan: Plan, bounds: Bounds, model: keras.Model, data: Data) -> dict[str, Any]:
    """What must stay the same when a training continues: settings, and what network and images say."""
    found = {"DTYPE_POLICY": model.dtype_policy.name, "the optimizer": optimizer_of(model)}
    return {**plan.same_on_resume(bounds), **found, checkpoint_file.IMAGES: data.fingerprint}


def _checkpoint(plan: Plan, bounds: Bounds, model: keras.Model, data: Data, clr: CyclicLR) -> EpochCheckpoint:
    """The checkpoint of this training; if it continues one that was stopped, everything is put back."""
    from pyimagesearch_lr.pipeline.checkpoint import EpochCheckpoint

    same = _same_on_resume(plan, bounds, model, data)
    rates = clr.history.setdefault("lr", [])
    checkpoint = EpochCheckpoint(plan.settings.checkpoint_path, same, {"lr": rates})
    try:
        done = checkpoint.restore(model) if plan.resume else 0
    except UnusableCheckpoint as error:
        raise SettingError(f"--resume: {error}") from error
    if done:
        clr.history["lr"] = checkpoint.step_history["lr"]
        info(f"resuming after epoch {done}")
    else:
        checkpoint.begin()
    return checkpoint


def _event_files(plan: Plan) -> list[Any]:
    """The callback for TensorBoard, with a new folder for each training, if it is asked for."""
    if plan.settings.tensorboard_dir is None:
        return []
    from pyimagesearch_lr.pipeline.tensorboard_log import TensorBoardLog

    folder = Path(plan.settings.tensorboard_dir, f"{datetime.now():%Y%m%d-%H%M%S}")
    info(f"event files for TensorBoard: {folder}")
    return [TensorBoardLog(folder)]


# Report ----------------------------------------------------------------------------------------------------


def evaluate(
    plan: Plan, bounds: Bounds, model: keras.Model, data: Data, history: dict[str, list[float]], rates: list
) -> Training:
    """Make everything that a finished training leaves: the printed report, model, figures, numbers."""
    info("evaluating network...")
    settings, recipe, folder = plan.settings, plan.recipe, Path(plan.settings.output_dir)
    image_size, classes = recipe.stages[-1].image_size, list(data.classes)
    batches = data.test_batches(image_size)
    outputs = model.predict(batches, verbose=0)
    facts = Facts(tuple(classes), image_size, data.channels, are_logits(outputs), recipe.mirrored_mean)
    of_mirrored = None
    if facts.mirrored_mean:
        of_mirrored = model.predict(batches.map(lambda x, y: (mirrored(x), y)), verbose=0)
    probabilities = facts.probabilities(outputs, of_mirrored)
    predicted = probabilities.argmax(axis=1)
    text = report.classification_report(data.test_labels, predicted, classes)

    record = _record(plan, bounds, model, data)
    title = plots.literal(f"{title_of(record)}, {epochs_in_words(recipe.epochs)}")
    curves = plots.training_history(history, evaluated_on=data.evaluated_on, title=title)
    title = f"Cyclical learning rate, {recipe.mode}"
    axes = plots.lr_against_step(rates, base_lr=bounds.min_lr, max_lr=bounds.max_lr, title=title)
    training = Training(
        run=Run.finished_now(record, sum(history["seconds"])),
        description=described(recipe, bounds, model),
        history=history,
        evaluated_on=data.evaluated_on,
        accuracy=float((predicted == data.test_labels).mean()),
        confusion_matrix=report.confusion_matrix(data.test_labels, predicted, len(classes)),
        plot=report.drawn(settings.training_plot_path, curves),
        clr_plot=report.drawn(settings.clr_plot_path, axes.figure),
        examples=examples.chosen(
            lambda row: data.test_image(row, image_size),
            data.test_labels,
            probabilities,
            classes,
            data.test_files,
        ),
        accuracy_without_mirror_images=(
            float((outputs.argmax(axis=1) == data.test_labels).mean()) if facts.mirrored_mean else None
        ),
    )
    with Saving() as saving:
        saving(report.save_text, folder / "report.txt", text)
        saving(saved_model.save, folder / "model.keras", model, facts)
        saving(report.save_picture, training.plot)
        saving(report.save_picture, training.clr_plot)
        saving(training.save, folder)
        print(text)
        files = f"; plots, report and model: {folder}" if saving.error is None else ""
        info(f"{training.summary}{files}")
    return training
