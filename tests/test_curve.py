"""`LRCurve`: a saved curve is the live one, a damaged file says so, a plot never fails and never pops up."""

from __future__ import annotations

import base64
import html
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyimagesearch_lr.curve import Comparison, LRCurve
from pyimagesearch_lr.suggest import METHODS, NoSuggestion

NAN, INF = float("nan"), float("inf")
AWKWARD = [0.1 + 0.2, 1 / 3, -0.0, 5e-324, 1.7976931348623157e308, 2.3026, -1e-17, 123456789.123456789]
METADATA = {"stop_factor": None, "beta": 0.98, "model": 'Größe, "7"\n', "versions": {"keras": "3"}}
SETTINGS = settings(max_examples=100, deadline=None, derandomize=True)


def awkward_curve() -> LRCurve:
    """Values that are easily lost on the way through text, NaN and infinities among them."""
    return LRCurve(
        lrs=np.geomspace(1e-10, 10, 11),
        raw_losses=[*AWKWARD, NAN, INF, -INF],
        losses=[NAN, *AWKWARD[::-1], INF, 0.7],
        stop_reason="non_finite",
        metrics={"accuracy": np.linspace(0, 1, 11), "top 5, %": [*AWKWARD, -INF, NAN, INF]},
        metadata=METADATA,
    )


def good_curve() -> LRCurve:
    """A curve that falls from 1e-4 to 1e-1, turns, and ends in NaN; it supports every suggestion."""
    lrs = np.geomspace(1e-7, 10, 400)
    raw_losses = np.interp(np.log10(lrs), [-7, -4, -1, 1], [2.3, 2.3, 0.3, 20.0])
    raw_losses += 0.05 * np.random.default_rng(0).normal(size=400)
    losses = raw_losses.copy()
    raw_losses[-1] = NAN
    return LRCurve(lrs, raw_losses, losses, "non_finite", metrics={"accuracy": np.linspace(0, 1, 400)})


def short_curve() -> LRCurve:
    return LRCurve([0.1, 0.2, 0.4], [2.0, 1.0, 3.0], [2.0, 1.5, 2.0], "end_lr", metrics={"mae": [3, 2, 1]})


def assert_bit_equal(first: LRCurve, second: LRCurve) -> None:
    assert first.stop_reason == second.stop_reason
    assert first.metadata == second.metadata
    assert list(first.metrics) == list(second.metrics)
    for name in ("lrs", "raw_losses", "losses"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()
    for name in first.metrics:
        assert first.metrics[name].tobytes() == second.metrics[name].tobytes()


@pytest.fixture
def no_window(monkeypatch):
    """A drawing that shows a window fails."""

    def fail(*args, **kwargs):
        raise AssertionError("a plot called show()")

    monkeypatch.setattr(plt, "show", fail)
    monkeypatch.setattr("matplotlib.figure.Figure.show", fail)


def test_arrays_become_float64():
    curve = LRCurve([1, 2], [3, 4], [3, 4], "end_lr", metrics={"mae": [1, 2]})
    for array in (curve.lrs, curve.raw_losses, curve.losses, curve.metrics["mae"]):
        assert array.dtype == np.float64
        assert array.shape == (2,)
    assert len(curve) == 2


@pytest.mark.parametrize("name", ["lrs", "raw_losses", "losses", "metrics"])
def test_arrays_of_different_lengths_are_refused(name):
    arrays = {"lrs": [1, 2], "raw_losses": [1, 2], "losses": [1, 2], "metrics": {"mae": [1, 2]}}
    arrays[name] = {"mae": [1, 2, 3]} if name == "metrics" else [1, 2, 3]
    key = "mae" if name == "metrics" else name
    with pytest.raises(ValueError, match=f"all arrays must have the same length.*'{key}': 3"):
        LRCurve(**arrays, stop_reason="end_lr")


def test_unknown_stop_reason_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"`stop_reason` must be one of .*'end_lr'.*Received: 'tired'"):
        LRCurve([1], [1], [1], "tired")


@pytest.mark.parametrize("name", ["curve.json", "curve.csv", "CURVE.JSON", "curve.Csv"])
@pytest.mark.parametrize("make", [awkward_curve, good_curve, lambda: LRCurve([], [], [], "interrupted")])
def test_saved_curve_loads_bit_equal(tmp_path, name, make):
    curve = make()
    curve.save(tmp_path / name)
    assert_bit_equal(LRCurve.load(tmp_path / name), curve)


RATES = st.floats(min_value=0, exclude_min=True, allow_infinity=False)


@given(rows=st.lists(st.tuples(RATES, *[st.floats()] * 3), max_size=10))
@SETTINGS
def test_any_floats_come_back_bit_equal(tmp_path_factory, rows):
    columns = [
        [NAN if math.isnan(value) else value for value in column] for column in zip(*rows, strict=True)
    ]
    lrs, raw_losses, losses, mae = columns or ([], [], [], [])
    lrs = sorted(lrs)
    curve = LRCurve(lrs, raw_losses, losses, "exhausted", metrics={"mae": mae})
    for suffix in (".json", ".csv"):
        path = tmp_path_factory.getbasetemp() / f"any{suffix}"
        curve.save(path)
        assert_bit_equal(LRCurve.load(path), curve)


@pytest.mark.parametrize("suffix", [".json", ".csv"])
@pytest.mark.parametrize("metric", ["loss", "lr", "raw_loss", "metrics.loss"])
def test_metric_named_like_a_column_survives_and_leaves_the_column_alone(tmp_path, suffix, metric):
    curve = LRCurve([0.1, 0.2], [1.0, 2.0], [1.0, 1.5], "end_lr", metrics={metric: [7.0, 8.0]})
    curve.save(tmp_path / f"curve{suffix}")
    assert_bit_equal(LRCurve.load(tmp_path / f"curve{suffix}"), curve)


@pytest.mark.parametrize("method", METHODS)
def test_suggestion_is_read_off_the_raw_losses(method):
    curve = good_curve()
    other = LRCurve(curve.lrs, curve.raw_losses, np.zeros(400), "non_finite")
    assert other.suggest(method) == curve.suggest(method)


@pytest.mark.parametrize("method", [1, True, ["steep"]])
def test_method_of_a_wrong_type_is_refused_by_its_name(method):
    with pytest.raises(TypeError, match=r"`method` must be one of .*'verified'.*Received: method="):
        good_curve().suggest(method)


def test_unknown_method_lists_verified_too():
    with pytest.raises(ValueError, match=r"`method` must be one of .*'steep'.*'verified'.*method='hill'"):
        good_curve().suggest("hill")


@pytest.mark.parametrize("suffix", [".json", ".csv"])
@pytest.mark.parametrize("method", METHODS)
def test_loaded_curve_gives_the_same_suggestion(tmp_path, suffix, method):
    curve = good_curve()
    curve.save(tmp_path / f"curve{suffix}")
    assert LRCurve.load(tmp_path / f"curve{suffix}").suggest(method) == curve.suggest(method)


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_loaded_curve_gives_the_same_reason_for_no_suggestion(tmp_path, suffix):
    short_curve().save(tmp_path / f"curve{suffix}")
    with pytest.raises(NoSuggestion, match="3 finite losses") as live:
        short_curve().suggest()
    with pytest.raises(NoSuggestion, match="3 finite losses") as loaded:
        LRCurve.load(tmp_path / f"curve{suffix}").suggest()
    assert str(loaded.value) == str(live.value)


def test_path_may_be_a_string_and_missing_folders_are_made(tmp_path):
    path = str(tmp_path / "runs" / "first" / "curve.json")
    short_curve().save(path)
    assert_bit_equal(LRCurve.load(path), short_curve())


def test_json_is_strict(tmp_path):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    path = tmp_path / "curve.json"
    awkward_curve().save(path)
    document = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert document["columns"]["raw_loss"][-3:] == ["nan", "inf", "-inf"]


def test_csv_has_a_comment_a_header_and_one_row_a_rate(tmp_path):
    path = tmp_path / "curve.csv"
    short_curve().save(path)
    comment, *table = path.read_text(encoding="utf-8").splitlines()
    assert comment.startswith("# {")
    assert table == [
        "lr,raw_loss,loss,metrics.mae",
        "0.1,2.0,2.0,3.0",
        "0.2,1.0,1.5,2.0",
        "0.4,3.0,2.0,1.0",
    ]


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_failing_write_leaves_the_old_file_and_no_temporary(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"curve{suffix}"
    short_curve().save(path)
    old = path.read_bytes()

    def write_half(self, text, **kwargs):
        self.write_bytes(text[: len(text) // 2].encode())
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_text", write_half)
    with pytest.raises(OSError, match="disk full"):
        good_curve().save(path)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_metadata_that_is_not_json_leaves_the_old_file(tmp_path, suffix):
    path = tmp_path / f"curve{suffix}"
    short_curve().save(path)
    curve = LRCurve([0.1], [1.0], [1.0], "end_lr", metadata={"optimizer": object()})
    with pytest.raises(TypeError, match="not JSON serializable"):
        curve.save(path)
    assert_bit_equal(LRCurve.load(path), short_curve())
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["curve.npz", "curve", "curve.json.gz", ".json"])
def test_unknown_ending_is_refused_before_anything_is_written_or_read(tmp_path, name):
    message = r'saved as "\.json" or "\.csv". Received: .*' + name
    with pytest.raises(ValueError, match=message):
        short_curve().save(tmp_path / name)
    with pytest.raises(ValueError, match=message):
        LRCurve.load(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_missing_file_is_a_file_not_found_error(tmp_path, suffix):
    with pytest.raises(FileNotFoundError, match=f"missing{suffix}"):
        LRCurve.load(tmp_path / f"missing{suffix}")


HEADER = '"format": "pyimagesearch_lr.LRCurve/1", "stop_reason": "end_lr", "metadata": {}'
COLUMNS = '"lr": [0.1], "raw_loss": [1], "loss": [1]'


@dataclass(frozen=True)
class Damage:
    """A file that does not hold a curve, and what the error says of it."""

    name: str
    suffix: str
    content: str | bytes
    message: str = ""


DAMAGES = [
    Damage("empty", ".json", ""),
    Damage("empty", ".csv", ""),
    Damage("binary", ".json", b"\x89PNG\r\n\x1a\n\xff\xfe\x00"),
    Damage("binary", ".csv", b"\x89PNG\r\n\x1a\n\xff\xfe\x00"),
    Damage("list", ".json", "[1, 2, 3]"),
    Damage("number", ".json", "7"),
    Damage("another program's", ".json", '{"lr": [0.1], "loss": [2.0]}', "'columns'"),
    Damage("another program's", ".csv", "lr,loss\n0.1,2.0\n"),
    Damage("newer format", ".json", '{"format": "pyimagesearch_lr.LRCurve/9", "columns": {}}', "LRCurve/9"),
    Damage("no columns", ".json", f"{{{HEADER}}}", "'columns'"),
    Damage("no loss", ".json", f'{{{HEADER}, "columns": {{"lr": [0.1], "raw_loss": [1]}}}}', "'loss'"),
    Damage("null", ".json", f'{{{HEADER}, "columns": {{{COLUMNS}, "mae": [null]}}}}'),
    Damage("word", ".json", f'{{{HEADER}, "columns": {{{COLUMNS}, "mae": ["high"]}}}}', "'high'"),
    Damage("huge", ".json", f'{{{HEADER}, "columns": {{{COLUMNS}, "mae": [1{"0" * 400}]}}}}', "too large"),
    Damage("lengths", ".json", f'{{{HEADER}, "columns": {{{COLUMNS}, "mae": [1, 2]}}}}', "same length"),
    Damage(
        "reason", ".json", f'{{{HEADER.replace("end_lr", "x")}, "columns": {{{COLUMNS}}}}}', "Received: 'x'"
    ),
    Damage("word", ".csv", f'# {{{HEADER}, "rates": 1}}\nlr,raw_loss,loss\n0.1,high,1\n', "'high'"),
    Damage("short row", ".csv", f'# {{{HEADER}, "rates": 1}}\nlr,raw_loss,loss\n0.1,1\n'),
    Damage("row missing", ".csv", f'# {{{HEADER}, "rates": 2}}\nlr,raw_loss,loss\n0.1,1,1\n', "end"),
    Damage("no loss", ".csv", f'# {{{HEADER}, "rates": 1}}\nlr,raw_loss\n0.1,1\n', "'loss'"),
    Damage("no comment", ".csv", "lr,raw_loss,loss\n0.1,1,1\n"),
    Damage("endless field", ".csv", f'# {{{HEADER}, "rates": 1}}\n{"x" * 200_000}\n', "field larger"),
]


@pytest.mark.parametrize("case", DAMAGES, ids=lambda case: f"{case.name}{case.suffix}")
def test_file_that_holds_no_curve_gives_one_clear_error(tmp_path, case):
    path = tmp_path / f"some{case.suffix}"
    path.write_bytes(case.content.encode() if isinstance(case.content, str) else case.content)
    message = rf"some{case.suffix} does not hold a curve saved by `LRCurve.save` \(.*{case.message}"
    with pytest.raises(ValueError, match=rf"(?s){message}.*\). Expected pyimagesearch_lr.LRCurve/1"):
        LRCurve.load(path)


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_file_cut_off_anywhere_is_refused(tmp_path, suffix):
    path = tmp_path / f"curve{suffix}"
    short_curve().save(path)
    whole = path.read_text(encoding="utf-8")
    for end in range(len(whole)):
        path.write_text(whole[:end], encoding="utf-8")
        with pytest.raises(ValueError, match="does not hold a curve"):
            LRCurve.load(path)


def test_plot_draws_raw_and_smoothed_losses_on_the_given_axes(no_window):
    _, ax = plt.subplots()
    figures = plt.get_fignums()
    curve = short_curve()
    assert curve.plot(ax=ax) is ax
    assert plt.get_fignums() == figures
    raw, smoothed = ax.lines
    np.testing.assert_array_equal(raw.get_xdata(), curve.lrs)
    np.testing.assert_array_equal(raw.get_ydata(), curve.raw_losses)
    np.testing.assert_allclose(smoothed.get_xdata()[[0, -1]], curve.lrs[[0, -1]])
    assert ax.get_xscale() == "log"
    assert ax.get_ylabel() == "loss"
    assert ax.get_xlabel().startswith("learning rate")


def test_plot_makes_a_figure_of_its_own_when_given_no_axes(no_window):
    first, second = short_curve().plot(title="first"), short_curve().plot(title="second")
    assert first.figure is not second.figure
    assert (first.get_title(), second.get_title()) == ("first", "second")


@dataclass(frozen=True)
class Skip:
    begin: int
    end: int
    shown: slice


SKIPS = [
    Skip(0, 0, slice(0, 400)),
    Skip(10, 0, slice(10, 400)),
    Skip(0, 1, slice(0, 399)),
    Skip(10, 5, slice(10, 395)),
    Skip(399, 0, slice(399, 400)),
    Skip(0, 399, slice(0, 1)),
    Skip(0, 400, slice(0, 0)),
    Skip(400, 0, slice(0, 0)),
    Skip(300, 300, slice(0, 0)),
    Skip(0, 401, slice(0, 0)),
    Skip(1000, 1000, slice(0, 0)),
]


@pytest.mark.parametrize("case", SKIPS, ids=lambda case: f"{case.begin}-{case.end}")
def test_plot_leaves_out_the_first_and_last_rates_and_no_others(no_window, case):
    curve = good_curve()
    ax = curve.plot(skip_begin=case.begin, skip_end=case.end)
    ax.figure.draw_without_rendering()
    raw, smoothed = ax.lines[:2]
    shown = curve.lrs[case.shown]
    np.testing.assert_array_equal(raw.get_xdata(), shown)
    np.testing.assert_array_equal(raw.get_ydata(), curve.raw_losses[case.shown])
    if len(shown) > 1:
        np.testing.assert_allclose(smoothed.get_xdata()[[0, -1]], shown[[0, -1]], rtol=0.05)
    else:
        assert len(smoothed.get_xdata()) <= 1


def test_smoothed_line_is_the_same_whatever_is_skipped(no_window):
    curve = good_curve()
    whole, part = (curve.plot(skip_begin=skip, skip_end=skip).lines[1].get_xydata() for skip in (0, 100))
    assert len(part) > 50
    assert {tuple(point) for point in part} < {tuple(point) for point in whole}


BAD_SKIPS = [(-1, ValueError), (2.5, ValueError), (NAN, ValueError), ("2", TypeError), (None, TypeError)]


@pytest.mark.parametrize("name", ["skip_begin", "skip_end"])
@pytest.mark.parametrize(("value", "error"), BAD_SKIPS)
def test_number_of_rates_to_skip_that_is_no_number_of_rates_is_refused(name, value, error):
    rule = "a number" if error is TypeError else "a whole number of at least 0"
    for plotted in (good_curve(), Comparison({"good": good_curve()})):
        with pytest.raises(error, match=f"`{name}` must be {rule}.*{name}={value!r}"):
            plotted.plot(**{name: value})


def test_plot_marks_the_suggested_bounds_whatever_is_skipped(no_window):
    curve = good_curve()
    suggestion = curve.suggest()
    for skip in (0, 100):
        ax = curve.plot(skip_begin=skip, skip_end=skip)
        marks = [line.get_xdata()[0] for line in ax.lines[2:]]
        assert marks == [suggestion.base_lr, suggestion.max_lr, curve.suggest("steep").max_lr]


def test_plot_without_a_suggestion_marks_nothing(no_window):
    ax = short_curve().plot()
    assert len(ax.lines) == 2
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["loss of each step", "smoothed"]


def _with_losses(raw_losses, losses=None) -> LRCurve:
    lrs = np.geomspace(1e-7, 10, len(raw_losses))
    return LRCurve(lrs, raw_losses, raw_losses if losses is None else losses, "interrupted")


ODD_CURVES = {
    "no points": _with_losses([]),
    "one point": _with_losses([2.0]),
    "two points": _with_losses([2.0, 1.0]),
    "one NaN": _with_losses([NAN]),
    "one infinity": _with_losses([INF], [NAN]),
    "all NaN": _with_losses(np.full(50, NAN)),
    "NaN last": _with_losses([2.0, 1.0, NAN], [2.0, 1.5, 1.5]),
    "infinity last": _with_losses([2.0, 1.0, INF], [2.0, 1.5, INF]),
    "raw all NaN": _with_losses([NAN, NAN], [2.0, 1.0]),
    "constant": _with_losses(np.full(50, 2.3)),
    "constant zero": _with_losses(np.zeros(50)),
    "constant and large": _with_losses(np.full(50, -1e9)),
    "constant and small": _with_losses(np.full(50, 1e-20)),
    "rising": _with_losses(np.linspace(1, 2, 50)),
    "exploding": _with_losses(np.geomspace(1, 1e38, 50)),
}


@pytest.mark.parametrize("curve", ODD_CURVES.values(), ids=ODD_CURVES)
def test_odd_curve_is_drawn_without_a_warning(tmp_path, no_window, curve):
    curve.plot().figure.savefig(tmp_path / "loss.png")
    curve.plot_rate_of_change().figure.savefig(tmp_path / "change.png")
    assert (tmp_path / "loss.png").stat().st_size > 1000
    assert (tmp_path / "change.png").stat().st_size > 1000


def test_notebook_shows_the_plot_and_the_bounds_with_their_reason(no_window):
    curve = good_curve()
    shown = curve._repr_html_()
    image, text = re.fullmatch(r'<img src="data:image/png;base64,([^"]+)"[^>]*><p>(.*)</p>', shown).groups()
    assert base64.b64decode(image, validate=True).startswith(b"\x89PNG\r\n\x1a\n")
    bounds = curve.suggest()
    shown = f"base_lr = {bounds.base_lr:.1e}, max_lr = {bounds.max_lr:.1e}: {bounds.reason}"
    assert html.unescape(text) == shown


@pytest.mark.parametrize("curve", ODD_CURVES.values(), ids=ODD_CURVES)
def test_notebook_shows_any_curve_and_why_it_has_no_bounds(no_window, curve):
    with pytest.raises(NoSuggestion) as reason:
        curve.suggest()
    assert f"<p>No bounds: {html.escape(str(reason.value))}</p>" in curve._repr_html_()


def test_curve_is_named_in_one_line_whatever_its_length():
    expected = "<LRCurve of 400 rates from 1.0e-07 to 1.0e+01, stop_reason='non_finite'>"
    assert repr(good_curve()) == expected
    assert repr(ODD_CURVES["no points"]) == "<LRCurve of 0 rates, stop_reason='interrupted'>"


def test_notebook_draws_no_second_plot_by_itself(no_window):
    kept = plt.figure()
    good_curve()._repr_html_()
    assert plt.get_fignums() == [kept.number]


def straight_curve() -> LRCurve:
    """A loss that falls by 0.01 a step, with a running average that is far off."""
    return LRCurve(np.geomspace(1e-4, 1, 201), np.linspace(5, 3, 201), np.full(201, 9.0), "end_lr")


def test_rate_of_change_is_drawn_on_the_given_axes(no_window):
    _, ax = plt.subplots()
    assert straight_curve().plot_rate_of_change(window=10, ax=ax, title="change") is ax
    lrs, change = ax.lines[0].get_data()
    np.testing.assert_array_equal(lrs, straight_curve().lrs[5:196])
    np.testing.assert_allclose(change[50:-50], np.full(91, -0.01), rtol=1e-3)
    assert (ax.get_title(), ax.get_xscale()) == ("change", "log")


def test_loss_falls_fastest_where_the_steepest_suggestion_is(no_window):
    lrs = np.geomspace(1e-6, 10, 400)
    losses = 2.3 - 2 / (1 + np.exp(-3 * np.log10(lrs / 1e-3))) + np.interp(np.log10(lrs), [0, 1], [0, 20])
    curve = LRCurve(lrs, losses, losses, "end_lr")
    shown, change = curve.plot_rate_of_change().lines[0].get_data()
    steepest = curve.suggest("steep").max_lr
    assert abs(np.log10(shown[np.argmin(change)] / steepest)) < 0.05
    assert abs(np.log10(steepest / 1e-3)) < 0.05


@pytest.mark.parametrize("window", [1, 5, 20])
def test_what_comes_back_from_an_explosion_is_no_fastest_fall(window, no_window):
    lrs = np.geomspace(1e-6, 10, 400)
    losses = np.interp(np.log10(lrs), [-6, -4, -2, -0.9, -0.8, 0.5, 1], [2.3, 2.2, 1.0, 1.1, 90.0, 80.0, 3.0])
    curve = LRCurve(lrs, losses, losses, "end_lr")
    *_, dot = Comparison({"SGD": curve}).plot_rate_of_change(window).lines
    assert 1e-4 < dot.get_xdata()[0] < 1e-2
    assert curve.plot_rate_of_change(window).get_ylim()[1] < 0.1


def test_changes_of_a_curve_that_says_nothing_are_drawn_without_a_dot(no_window):
    curve = LRCurve([0.1, 0.2], [math.nan, math.nan], [math.nan, math.nan], "non_finite")
    ax = Comparison({"empty": curve}).plot_rate_of_change(5)
    assert all(line.get_marker() != "o" for line in ax.lines)


OLD_FILES = sorted((Path(__file__).parent / "files_of_0_1").glob("curve*"))


@pytest.mark.parametrize("path", OLD_FILES, ids=lambda path: path.name)
def test_file_of_version_0_1_still_reads(path):
    curve = LRCurve.load(path)
    assert len(curve) == 60
    assert curve.stop_reason == "diverged"
    assert curve.metadata["beta"] == 0.98
    assert curve.raw_losses[:3].tolist() == [2.4999237060546875, 2.786943197250366, 2.6507580280303955]
    assert curve.sweep_losses.shape == (2, 60)
    assert [probe.loss for probe in curve.probes] == [0.9126144230365754, math.inf]
    assert list(curve.metrics) == ["accuracy"]
    assert curve.suggest().max_lr == 0.05623413251903491


class TestComparison:
    def test_table_has_bounds_and_best_loss_or_why_there_are_none(self):
        comparison = Comparison({"good": good_curve(), "short": short_curve()})
        header, good, short = comparison.table().splitlines()
        bounds = good_curve().suggest()
        best = good_curve().plot().lines[1].get_ydata().min()
        assert header.split() == ["label", "base_lr", "max_lr", "best", "loss", "why"]
        assert good.split()[:3] == ["good", f"{bounds.base_lr:.1e}", f"{bounds.max_lr:.1e}"]
        assert float(good.split()[3]) == pytest.approx(best, rel=1e-3)
        assert good.endswith(bounds.reason)
        assert short.split()[:3] == ["short", "-", "-"]
        assert "no suggestion: the curve has 3 finite losses" in short
        assert header.index("why") == short.index("no suggestion")
        assert str(comparison) == comparison.table()

    def test_table_of_a_curve_without_a_finite_loss(self):
        lost = LRCurve([0.1, 0.2], [NAN, INF], [NAN, NAN], "non_finite")
        assert Comparison({"lost": lost}).table().splitlines()[1].split()[:4] == ["lost", "-", "-", "-"]

    def test_plot_draws_the_line_of_each_curve(self, no_window):
        ax = Comparison({"good": good_curve(), 4: short_curve()}).plot(title="both")
        for drawn, curve in zip(ax.lines, (good_curve(), short_curve()), strict=True):
            np.testing.assert_array_equal(drawn.get_xydata(), curve.plot().lines[1].get_xydata())
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["good", "4"]
        assert ax.get_title() == "both"

    def test_plot_leaves_out_what_is_skipped(self, no_window):
        ax = Comparison({"good": good_curve()}).plot(skip_begin=100, skip_end=50)
        np.testing.assert_allclose(ax.lines[0].get_xdata()[[0, -1]], good_curve().lrs[[100, -51]], rtol=0.05)

    def test_rate_of_change_is_that_of_each_curve(self, no_window):
        ax = Comparison({"straight": straight_curve()}).plot_rate_of_change(window=10)
        alone = straight_curve().plot_rate_of_change(window=10)
        np.testing.assert_array_equal(ax.lines[0].get_xydata(), alone.lines[0].get_xydata())
