"""What a training of `train.py` consists of beside the bounds of its learning rate: the recipes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pyimagesearch_lr.cycles import CyclicLR
    from pyimagesearch_lr.settings import Settings


class Stage(NamedTuple):
    """A part of a training, in which the images have one size."""

    image_size: int  # pixels, of both sides
    epochs: int


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Stages, cycle, optimizer and loss of a training.

    Args:
        stages: Tuple of `Stage`, in their order; the learning rate goes on from one to the next.
        epochs_up: Number, epochs in which the rate of a cycle rises; 0.5 is half an epoch.
        epochs_down: Number, epochs in which it falls.
        mode: String, that of `CyclicLR`.
        gamma: Float, that of `CyclicLR` for "exp_range".
        nesterov: Bool, whether SGD's momentum of 0.9 is Nesterov's.
        weight_decay: Float, the part of every kernel that a step takes off it, times the learning rate.
        label_smoothing: Float from 0 to 1, the part of a label that is spread over all classes.
        dropout: Float from 0 to below 1, that of the network.
        whole_pixels: Bool, whether images are shifted by whole pixels only, which keeps them sharp.
    """

    stages: tuple[Stage, ...]
    epochs_up: float
    epochs_down: float
    mode: str = "triangular"
    gamma: float = 1.0
    nesterov: bool = False
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    dropout: float = 0.5
    whole_pixels: bool = False

    @property
    def epochs(self) -> int:
        """The epochs of all stages."""
        return sum(stage.epochs for stage in self.stages)

    def describe(self, min_lr: float, max_lr: float) -> str:
        """The training in a line, for the user."""
        sizes = ", then ".join(f"{epochs} of {size} x {size} pixels" for size, epochs in self.stages)
        stages = f" ({sizes})" if len(self.stages) > 1 else ""
        bounds = f"{self.mode} learning rate between {min_lr:g} and {max_lr:g}"
        ways = f"up in {epochs_in_words(self.epochs_up)} and down in {self.epochs_down:g}"
        return f"{epochs_in_words(self.epochs)}{stages}, {bounds}, {ways}"

    def rates(self, min_lr: float, max_lr: float, steps_per_epoch: int) -> CyclicLR:
        """The callback that cycles the learning rate through all stages."""
        from pyimagesearch_lr.cycles import CyclicLR

        up, down = (epochs * steps_per_epoch for epochs in (self.epochs_up, self.epochs_down))
        return CyclicLR(min_lr, max_lr, up, self.mode, self.gamma, step_size_down=down)

    def compile(self, model: Any, learning_rate: float) -> None:
        """Compile a classifier with the optimizer and the loss of this recipe."""
        import keras

        optimizer = keras.optimizers.SGD(
            learning_rate, momentum=0.9, nesterov=self.nesterov, weight_decay=self.weight_decay or None
        )
        if self.weight_decay:
            optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        loss = keras.losses.CategoricalCrossentropy(label_smoothing=self.label_smoothing)
        model.compile(optimizer, loss, metrics=["accuracy"])


TUTORIAL = "tutorial"  # the recipe that config.py completes
COMPLETE = {
    "short": Recipe(
        stages=(Stage(20, 7), Stage(28, 7)),
        epochs_up=4,
        epochs_down=10,
        nesterov=True,
        weight_decay=5e-3,
        label_smoothing=0.1,
        dropout=0.2,
        whole_pixels=True,
    ),
}
NAMES = (TUTORIAL, *COMPLETE)


def epochs_in_words(number: float) -> str:
    """The number with its unit: "0.5 epochs", "1 epoch", "8 epochs"."""
    return f"{number:g} epoch{'' if number == 1 else 's'}"


def chosen(name: str, settings: Settings) -> Settings:
    """The settings of a run by the named recipe; the short one's results have a folder of their own."""
    if name == TUTORIAL:
        return settings
    recipe = COMPLETE[name]
    return dataclasses.replace(
        settings.in_folder(name),
        recipe=name,
        num_epochs=recipe.epochs,
        step_size=recipe.epochs_up,
        clr_method=recipe.mode,
    )


def of(settings: Settings) -> Recipe:
    """The recipe of a run: a complete one, or the tutorial's, which the settings complete."""
    if settings.recipe != TUTORIAL:
        return COMPLETE[settings.recipe]
    return Recipe(
        stages=(Stage(32, settings.num_epochs),),
        epochs_up=settings.step_size,
        epochs_down=settings.step_size,
        mode=settings.clr_method,
        gamma=settings.clr_gamma if settings.clr_method == "exp_range" else 1.0,
    )
