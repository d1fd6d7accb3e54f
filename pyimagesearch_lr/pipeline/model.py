"""The network of a run: MiniGoogLeNet, or one of the user's own, compiled."""

from __future__ import annotations

import dataclasses
import re
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from pyimagesearch_lr.pipeline import machine
from pyimagesearch_lr.pipeline.plan import CONV_MUON, MINIGOOGLENET, SGD, SettingError
from pyimagesearch_lr.pipeline.saved_model import are_logits
from pyimagesearch_lr.pipeline.terminal import info

COLOUR = re.compile("\x1b\\[[0-9;]*m")  # of a terminal, which Keras writes into its errors

if TYPE_CHECKING:
    import keras

    from pyimagesearch_lr.pipeline.data import Data
    from pyimagesearch_lr.pipeline.plan import Plan, Recipe

OF_NORMALISATION = {"gamma", "beta", "scale", "moving_mean"}  # variables that Keras's layers make
STEPS_TO_SETTLE = 1000  # that batch normalisation's moving statistics take by Keras's momentum of 0.99


def compiled(plan: Plan, data: Data) -> tuple[keras.Model, Data]:
    """The network that the plan trains, and the images with labels of the kind that its loss takes.

    Raises:
        SettingError: If MODEL does not lead to a function that makes such a network.
    """
    import keras

    policy, reason = machine.dtype_policy(plan.settings.dtype_policy)
    keras.utils.set_random_seed(plan.settings.seed)
    keras.config.set_dtype_policy(policy)
    model = minigooglenet(plan, data) if plan.settings.model == MINIGOOGLENET else own(plan, data)
    if not model.compiled:
        logits = plan.settings.model != MINIGOOGLENET and _gives_logits(plan, model, data)
        compile_by(_fitting(plan.recipe, model), model, plan.bounds.min_lr, from_logits=logits)
    else:
        info(f"MODEL compiles its network: its own {optimizer_of(model)} and loss are used")
        data = dataclasses.replace(data, one_hot=not _takes_whole_numbers(model.loss))
        _check_loss_and_metrics(plan, model, data)
    info(f"compiling model in {policy} ({reason}), {machine.execution(model)}...")
    return model, data


def optimizer_of(model: keras.Model) -> str:
    """The name of the class of a compiled network's optimizer, without what scales its loss."""
    from pyimagesearch_lr import _keras

    return type(_keras.rate_holder(model.optimizer)).__name__


def _fitting(recipe: Recipe, model: keras.Model) -> Recipe:
    """The recipe, with SGD in place of `ConvMuon` for convolutions in a network without any normalisation.

    The names of the variables tell, wherever in the network they are.
    """
    has_kernels = any(len(variable.shape) == 4 for variable in model.trainable_variables)
    is_normalised = any(variable.name in OF_NORMALISATION for variable in model.variables)
    if recipe.optimizer != CONV_MUON or not has_kernels or is_normalised:
        return recipe
    info(
        "the network has convolutions and no normalisation layer: trained with SGD in place of ConvMuon, "
        "which keeps the norms of their kernels"
    )
    return dataclasses.replace(recipe, optimizer=SGD)


def _gives_logits(plan: Plan, model: keras.Model, data: Data) -> bool:
    """Whether the outputs for images of noise are neither probabilities nor shares, as of sigmoids."""
    import keras

    side = plan.recipe.stages[-1].image_size
    images = np.random.default_rng(0).random((16, side, side, data.channels), np.float32)
    logits = are_logits(keras.ops.convert_to_numpy(model(images, training=False)))
    if logits:
        info("MODEL gives logits: its loss is the cross-entropy of those")
    return logits


def compile_by(
    recipe: Recipe, model: keras.Model, learning_rate: float, *, from_logits: bool = False
) -> None:
    """Compile a classifier with the optimizer and the loss of a recipe."""
    import keras

    optimizer = _optimizer(recipe, learning_rate)
    if recipe.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    loss = keras.losses.CategoricalCrossentropy(from_logits, label_smoothing=recipe.label_smoothing)
    model.compile(optimizer, loss, metrics=["accuracy"])


def _optimizer(recipe: Recipe, learning_rate: float) -> keras.optimizers.Optimizer:
    import keras

    from pyimagesearch_lr.optimizers import MATRIX_TYPES, ConvMuon

    kind, options = keras.optimizers.SGD, {}
    if recipe.optimizer == CONV_MUON:
        computed_in = keras.config.dtype_policy().compute_dtype
        kind = ConvMuon
        options = {"matrix_dtype": computed_in if computed_in in MATRIX_TYPES else MATRIX_TYPES[0]}
    return kind(
        learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay or None,
        **options,
    )


def minigooglenet(plan: Plan, data: Data) -> keras.Model:
    """MiniGoogLeNet for these images, not compiled."""
    from pyimagesearch_lr import MiniGoogLeNet

    side = _side(plan.recipe)
    model = MiniGoogLeNet.build(
        width=side,
        height=side,
        depth=data.channels,
        classes=len(data.classes),
        dropout=plan.recipe.dropout,
    )
    if plan.recipe.epochs * data.steps_per_epoch < STEPS_TO_SETTLE:
        _hasten_statistics(model)
    return model


def own(plan: Plan, data: Data) -> keras.Model:
    """The network that the function of MODEL makes.

    Raises:
        SettingError: If there is no such function, it fails, or what it makes does not fit the images.
    """
    import keras

    reference = plan.settings.model
    function = _imported(reference)
    shape = (_side(plan.recipe), _side(plan.recipe), data.channels)
    called = f"{reference.partition(':')[2]}({shape}, {len(data.classes)})"
    try:
        model = function(shape, len(data.classes))
    except (Exception, SystemExit) as error:  # whatever the user's code raises
        open_size = f" --recipe {plan.recipe_name} trains on images of two sizes, so the size is open."
        why = open_size * (None in shape)
        raise _unusable(reference, f"{called} raised {_in_words(error)}.{why}") from error
    if not isinstance(model, keras.Model):
        raise _unusable(reference, f"{called} returned {type(model).__name__}; expected a keras.Model.")
    _check_input(reference, model, shape)
    _check_output(reference, model, shape, len(data.classes))
    if not model.trainable_variables:
        raise _unusable(reference, "it has no weights that can be trained.")
    if plan.train:
        if model.compiled:
            _check_rate(reference, model.optimizer)
        _check_saving(reference, model)
    return model


def _check_output(
    reference: str, model: keras.Model, shape: tuple[int | None, ...], num_classes: int
) -> None:
    """Build the network by calling it, and see that it gives one number per class."""
    import keras

    try:
        with warnings.catch_warnings():  # of what fails, the error tells
            warnings.simplefilter("ignore")
            outputs = model(keras.KerasTensor((None, *shape)))
    except Exception as error:  # whatever the user's layers raise
        raise _unusable(
            reference, f"calling it with images of shape {shape} raised {_in_words(error)}."
        ) from error
    if isinstance(outputs, list | tuple) and len(outputs) == 1:
        outputs = outputs[0]
    found = keras.tree.map_structure(lambda output: tuple(output.shape), outputs)
    if found != (None, num_classes):
        raise _unusable(
            reference,
            f"its output has the shape {found}; expected (None, {num_classes}), one number per class.",
        )


def _check_rate(reference: str, optimizer: keras.optimizers.Optimizer) -> None:
    from pyimagesearch_lr import _keras

    if _keras.has_several_rates(_keras.rate_holder(optimizer)):
        raise _unusable(reference, "its optimizer is made of several, and one rate is cycled here: take one.")
    if _keras.rate_source(optimizer) is not None:
        raise _unusable(
            reference, "its optimizer has a schedule, but the rate is cycled here: give it a number."
        )


def _check_saving(reference: str, model: keras.Model) -> None:
    """See that the network can be saved before it is trained."""
    import keras

    try:
        keras.saving.serialize_keras_object(model)
    except Exception as error:  # whatever a layer without a config raises
        why = _in_words(error).partition(". ")[0]  # an example follows
        raise _unusable(
            reference, f"it cannot be saved: {why}. Without that, its training would be lost."
        ) from error


def _check_loss_and_metrics(plan: Plan, model: keras.Model, data: Data) -> None:
    """See on a batch that the loss and the metrics of a compiled network take the labels."""
    reference = plan.settings.model
    batch = data.test_batches(plan.recipe.stages[-1].image_size).take(1)
    try:
        found = model.evaluate(batch, verbose=0, return_dict=True)
    except Exception as error:  # whatever the user's code raises
        if data.failure is not None:
            raise
        raise _unusable(reference, f"evaluating it on a batch raised {_in_words(error)}.") from error
    for name, value in found.items():
        if np.size(value) != 1:
            raise _unusable(
                reference,
                f"its metric {name} gives {np.size(value)} numbers, and one can be recorded: average them.",
            )


def _check_input(reference: str, model: keras.Model, shape: tuple[int | None, ...]) -> None:
    expected = getattr(model, "input_shape", None)
    if not isinstance(expected, tuple) or not all(side is None or isinstance(side, int) for side in expected):
        return  # a subclassed model does not say, and several inputs fail in Keras's own words
    pairs = zip(expected[1:], shape, strict=False)
    fits = len(expected) == 4 and all(None in pair or pair[0] == pair[1] for pair in pairs)
    if not fits:
        raise _unusable(reference, f"it takes images of shape {expected[1:]}, and those of DATA are {shape}.")


def _imported(reference: str) -> Callable[..., Any]:
    module_name, _, name = reference.partition(":")
    try:
        module = import_module(module_name)
    except (Exception, SystemExit) as error:  # whatever the user's module raises
        if isinstance(error, ModuleNotFoundError) and error.name == module_name.partition(".")[0]:
            folders = sys.path[0] or "the current folder"
            raise _unusable(
                reference, f"there is no module {error.name!r}, neither installed nor in {folders}."
            ) from error
        raise _unusable(reference, f"importing {module_name} raised {_in_words(error)}.") from error
    function = getattr(module, name, None)
    if not callable(function):
        what = "has no function" if function is None else f"has a {type(function).__name__}, not a function,"
        raise _unusable(reference, f"the module {module_name} {what} {name}.")
    return function


def _side(recipe: Recipe) -> int | None:
    """The size of the images in pixels; None where a recipe has several."""
    sizes = {stage.image_size for stage in recipe.stages}
    return sizes.pop() if len(sizes) == 1 else None


def _takes_whole_numbers(loss: Any) -> bool:
    """Whether a loss takes labels as whole numbers, as Keras's sparse ones do."""
    if isinstance(loss, list | tuple) and len(loss) == 1:
        loss = loss[0]
    name = loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", None)
    return str(name).lower().startswith("sparse")


def _hasten_statistics(model: keras.Model) -> None:
    """Let batch normalisation's moving statistics settle within a few hundred steps."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9


def _unusable(reference: str, what: str) -> SettingError:
    return SettingError(f"MODEL = {reference!r} in config.py: {what}")


def _in_words(error: BaseException) -> str:
    text = " ".join(COLOUR.sub("", str(error)).split()).rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
