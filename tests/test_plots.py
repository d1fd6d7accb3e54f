"""What is drawn: the right numbers on the right axes, limits that show the fall, nothing left behind."""

from __future__ import annotations

import math

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from pyimagesearch_lr import plots
from pyimagesearch_lr.suggest import Probe, Suggestion

LRS = np.geomspace(1e-6, 1, 200)
LOSSES = np.interp(np.log10(LRS), [-6, -4, -1, 0], [2.3, 2.3, 0.5, 50.0])
HISTORY = {
    "loss": [2.0, 1.0, 0.5],
    "val_loss": [1.5, 1.0, 0.75],
    "accuracy": [0.25, 0.5, 0.75],
    "val_accuracy": [0.5, 0.5, 0.625],
}


@pytest.fixture(autouse=True)
def nothing_left_behind(monkeypatch):
    """No drawing shows a window or changes matplotlib's settings."""

    def fail(*args, **kwargs):
        raise AssertionError("a plot called show()")

    monkeypatch.setattr(plt, "show", fail)
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before


def labels_of(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_limits_show_the_fall_and_cut_the_diverging_tail():
    low, high = plots.loss_against_lr(LRS, LOSSES, LRS, LOSSES).get_ylim()
    assert low < 0.5
    assert 2.3 < high < 5.0


def test_limits_show_the_raw_losses_below_the_smoothed_ones():
    noisy = LOSSES - 0.3 * np.tile([0, 1], 100)
    low, _ = plots.loss_against_lr(LRS, noisy, LRS, LOSSES).get_ylim()
    assert low < 0.3


def test_limits_show_negative_losses():
    low, high = plots.loss_against_lr(LRS, LOSSES - 10, LRS, LOSSES - 10).get_ylim()
    assert low < -9.5
    assert -7.7 < high < -5.0


def test_bounds_are_shaded_and_named_with_their_values():
    suggestion = Suggestion(1.2e-4, 1e-2, "bounds", "as seen.")
    ax = plots.loss_against_lr(LRS, LOSSES, LRS, LOSSES, suggestion=suggestion, title="sweep")
    assert [line.get_xdata()[0] for line in ax.lines[2:]] == [1.2e-4, 1e-2]
    (shade,) = ax.patches
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == pytest.approx((1.2e-4, 1e-2))
    assert labels_of(ax)[2:] == ["base_lr = 1.2e-04", "max_lr = 1.0e-02"]
    assert ax.get_title() == "sweep"


def test_probes_are_circles_with_errors_and_a_star_and_what_diverged_in_any_has_a_cross():
    probes = [
        Probe(1e-4, 1e-3, 20, 1.5, 0.1),
        Probe(1e-3, 1e-2, 20, 0.9, 0.1),
        Probe(1e-2, 1e-1, 20, 1.1, 0.2),
        Probe(1e-1, 1e0, 7, math.inf),
        Probe(3e-2, 3e-1, 20, 99.0, 0.2),
        Probe(1e-3, 1e-2, 60, 0.4, 0.05),
        Probe(1e-2, 1e-1, 51, math.inf),
    ]
    taken = Suggestion(1e-3, 1e-2, "verified", "as seen.")
    ax = plots.loss_against_lr(LRS, LOSSES, LRS, LOSSES, probes=probes, suggestion=taken)
    drawn = {line.get_label(): line for line in ax.lines}
    circles = {each.get_label(): each for each in ax.containers}
    short, long = (circles[f"tried for {steps} steps each"] for steps in (20, 60))
    assert short[0].get_xdata().tolist() == [1e-3, 1e-2, 1e-1, 3e-1]
    assert (long[0].get_xdata().tolist(), long[0].get_ydata().tolist()) == ([1e-2], [0.4])
    assert short[0].get_markerfacecolor() != long[0].get_markerfacecolor()
    np.testing.assert_allclose(long[2][0].get_segments()[0], [[1e-2, 0.35], [1e-2, 0.45]])
    assert drawn["tried, diverged"].get_xdata().tolist() == [1e-1, 1.0]
    assert drawn["tried, ended above"].get_xdata().tolist() == [3e-1]
    assert ax.get_ylim()[1] < 99
    star = drawn["taken: 1.0e-02"]
    assert (star.get_xdata().tolist(), star.get_ydata().tolist()) == ([1e-2], [0.4])


def test_steepest_place_is_a_dot_on_the_smoothed_line():
    steepest = Suggestion(1e-3, 1e-3, "steep", "as seen.")
    (*_, dot) = plots.loss_against_lr(LRS, LOSSES + 0.1, LRS, LOSSES, steepest=steepest).lines
    assert dot.get_xdata() == [1e-3]
    assert dot.get_ydata() == pytest.approx([2.3 - 1.8 / 3], abs=0.02)


def test_repeated_sweeps_are_a_band_from_the_lowest_to_the_highest():
    band = np.array([LOSSES - 0.2, LOSSES + 0.1, LOSSES])[:, :150]
    ax = plots.loss_against_lr(LRS, LOSSES, LRS, LOSSES, band=band)
    outline = ax.collections[0].get_paths()[0].vertices
    assert "range of 3 sweeps" in labels_of(ax)
    assert outline[:, 0].max() == LRS[149]
    at_start = outline[outline[:, 0] == LRS[0], 1]
    assert (at_start.min(), at_start.max()) == pytest.approx((2.1, 2.4))


def test_rate_of_change_is_centred_on_zero_and_shows_the_steepest_fall():
    change = np.array([np.nan, -0.5, -2.0, 1.0, 1000.0])
    low, high = plots.rate_of_change(LRS[:5], change).get_ylim()
    assert low == -high
    assert -4.0 < low < -2.0


def test_rate_of_change_is_as_high_as_the_given_fall_and_not_as_one_beyond_it():
    change = np.array([-0.5, -2.0, 1.0, 1000.0, -900.0])
    low, high = plots.rate_of_change(LRS[:5], change, 1).get_ylim()
    assert low == -high
    assert -4.0 < low < -2.0


def test_training_history_shows_loss_above_and_accuracy_below_from_epoch_1():
    figure = plots.training_history(HISTORY, title="run")
    top, bottom = figure.axes
    for ax, name in ((top, "loss"), (bottom, "accuracy")):
        training, test = ax.lines
        assert training.get_xdata().tolist() == test.get_xdata().tolist() == [1, 2, 3]
        assert list(training.get_ydata()) == HISTORY[name]
        assert list(test.get_ydata()) == HISTORY[f"val_{name}"]
        assert ax.get_ylabel() == name
        assert labels_of(ax) == ["training", "test"]
    assert top.get_title() == "run"
    assert bottom.get_xlabel() == "epoch"


def test_training_history_names_what_was_evaluated_on():
    figure = plots.training_history(HISTORY, evaluated_on="held-out")
    assert [labels_of(ax) for ax in figure.axes] == [["training", "held-out"]] * 2


def test_training_history_of_one_epoch_is_drawn(tmp_path):
    figure = plots.training_history({name: values[:1] for name, values in HISTORY.items()})
    figure.savefig(tmp_path / "history.png")
    assert [list(line.get_xdata()) for line in figure.axes[0].lines] == [[1], [1]]


def test_lr_against_step_counts_steps_from_0_and_draws_both_bounds():
    lrs = [0.001, 0.0035, 0.006, 0.0035]
    ax = plots.lr_against_step(lrs, base_lr=0.001, max_lr=0.006, title="cycle")
    rates, base, peak = ax.lines
    assert rates.get_xdata().tolist() == [0, 1, 2, 3]
    assert list(rates.get_ydata()) == lrs
    assert (base.get_ydata()[0], peak.get_ydata()[0]) == (0.001, 0.006)
    assert labels_of(ax) == ["base_lr = 0.001", "max_lr = 0.006"]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("step", "learning rate", "cycle")


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plots.loss_against_lr(LRS, LOSSES, LRS, LOSSES, ax=ax),
        lambda ax: plots.rate_of_change(LRS, LOSSES, ax=ax),
        lambda ax: plots.lr_against_step(LRS, base_lr=0.1, max_lr=0.2, ax=ax),
        lambda ax: plots.losses_against_lr({"a": (LRS, LOSSES)}, ax=ax),
        lambda ax: plots.rates_of_change({"a": (LRS, LOSSES, 1)}, ax=ax),
    ],
    ids=["loss", "change", "lr", "losses", "changes"],
)
def test_given_axes_are_drawn_on_and_returned(draw):
    _, (left, right) = plt.subplots(1, 2)
    figures = plt.get_fignums()
    assert draw(right) is right
    assert plt.get_fignums() == figures
    assert right.lines
    assert not left.lines
    own = draw(None)
    assert own.figure is not right.figure
    assert own.figure.number not in figures


def test_overlaid_losses_have_one_named_line_each_and_limits_that_show_every_fall():
    ax = plots.losses_against_lr({"SGD": (LRS, LOSSES), "Adam": (LRS[:50], LOSSES[:50] - 1.0)}, title="pair")
    assert labels_of(ax) == ["SGD", "Adam"]
    assert [len(line.get_xdata()) for line in ax.lines] == [200, 50]
    low, high = ax.get_ylim()
    assert low < 0.5
    assert 2.3 < high < 5.0
    assert (ax.get_xscale(), ax.get_ylabel(), ax.get_title()) == ("log", "loss", "pair")


def test_overlaid_changes_have_a_dot_where_each_falls_fastest():
    falling = np.array([np.nan, -0.5, -2.0, 1.0, np.inf])
    ax = plots.rates_of_change({"SGD": (LRS[:5], falling, 2), "Adam": (LRS[:5], falling / 4 - 1, 2)})
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [(dot.get_xdata()[0], dot.get_ydata()[0]) for dot in dots] == [(LRS[2], -2.0), (LRS[2], -1.5)]
    assert [dot.get_color() for dot in dots] == [line.get_color() for line in ax.lines[:2]]
    assert labels_of(ax) == ["SGD", "Adam"]
    assert -4.0 < ax.get_ylim()[0] < -2.0


def test_overlaid_changes_of_a_curve_shorter_than_the_window_are_an_empty_line():
    ax = plots.rates_of_change({"short": (LRS[:3], np.full(3, np.nan), None)})
    assert labels_of(ax) == ["short"]
    assert all(line.get_marker() != "o" for line in ax.lines)


def test_epoch_sweep_shows_loss_accuracy_and_rate_by_epoch_and_loss_by_rate():
    history = {"loss": [0.6, 0.5, 0.7], "accuracy": [0.6, 0.75, 0.5], "learning_rate": [1e-3, 1e-2, 1e-1]}
    figure = plots.epoch_sweep(history, lr=1e-2, title="sweep")
    by_epoch, by_rate, scale = figure.axes
    drawn = [list(line.get_ydata()) for line in (*by_epoch.lines, *scale.lines)]
    assert drawn == [history["loss"], history["accuracy"], history["learning_rate"]]
    assert labels_of(by_epoch) == ["loss", "accuracy", "learning rate"]
    assert [line.get_xdata().tolist() for line in by_epoch.lines] == [[1, 2, 3]] * 2
    assert list(by_rate.lines[0].get_xdata()) == history["learning_rate"]
    assert list(by_rate.lines[0].get_ydata()) == history["loss"]
    assert by_rate.get_xscale() == scale.get_yscale() == "log"
    assert labels_of(by_rate)[-1] == "taken: 1.0e-02"
    low, high = by_epoch.get_ylim()
    assert low <= 0 and high >= 0.75


def test_confusion_matrix_has_a_number_a_cell_and_shades_the_share_of_the_row():
    ax = plots.confusion_matrix([[8, 2], [0, 0]], ["top", "bag"], title="errors")
    numbers = {text.get_position(): text.get_text() for text in ax.texts}
    assert numbers == {(0, 0): "8", (1, 0): "2", (0, 1): "0", (1, 1): "0"}
    (image,) = ax.images
    np.testing.assert_allclose(image.get_array(), np.sqrt([[0.8, 0.2], [0, 0]]))
    assert [label.get_text() for label in ax.get_xticklabels()] == ["top", "bag"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["top", "bag"]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("predicted", "true", "errors")


def test_confusion_matrix_is_drawn_on_given_axes():
    _, (left, right) = plt.subplots(1, 2)
    assert plots.confusion_matrix(np.eye(2, dtype=int), ["top", "bag"], ax=right) is right
    assert right.images
    assert not left.images


@pytest.mark.parametrize("text", ["$x^{$", "5$", "猫 and 犬", "a_b \\\\ c"])
def test_title_that_somebody_chose_is_drawn_as_it_is_and_without_a_warning(text, recwarn):
    axes = plots.new_axes()
    axes.set_title(plots.literal(text))
    assert plots.png_of(axes.figure).startswith(b"\x89PNG")
    assert not recwarn.list


def test_png_of_a_figure_is_a_png_and_closes_it():
    figure, _ = plt.subplots()
    assert plots.png_of(figure).startswith(b"\x89PNG\r\n\x1a\n")
    assert not plt.fignum_exists(figure.number)
