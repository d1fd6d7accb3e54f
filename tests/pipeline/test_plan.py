"""The plan of a run: what config.py may say, what answers what it may not, and what else is asked."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pyimagesearch_lr.pipeline.command_line import parse
from pyimagesearch_lr.pipeline.plan import COMPLETE, Bounds, Plan, Recipe, SettingError, Settings, Stage

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]
GOOD = {
    "CLASSES": NAMES,
    "DATA_DIR": None,
    "HOLD_OUT": 0,
    "SEED": 42,
    "LRFIND_START_LR": 1e-10,
    "LRFIND_END_LR": 1e1,
    "LRFIND_STEPS": 500,
    "LRFIND_VERIFY_STEPS": 600,
    "MIN_LR": 1e-5,
    "MAX_LR": 1e-2,
    "STEP_SIZE": 8,
    "CLR_METHOD": "triangular",
    "CLR_GAMMA": 0.99994,
    "NUM_EPOCHS": 48,
    "BATCH_SIZE": 64,
    "DTYPE_POLICY": "auto",
    "OUTPUT_DIR": "output",
    "LRFIND_PLOT_PATH": "output/lrfind_plot.png",
    "TRAINING_PLOT_PATH": "output/training_plot.png",
    "CLR_PLOT_PATH": "output/clr_plot.png",
    "TENSORBOARD_DIR": None,
    "DATA": "fashion-mnist",
    "IMAGE_SIZE": 32,
    "CHANNELS": None,
    "TEST_SHARE": 0.2,
    "SKIP_UNREADABLE": False,
    "CONVERT_PICTURES": False,
    "MODEL": "minigooglenet",
}
REQUIRED = [
    "MIN_LR",
    "MAX_LR",
    "BATCH_SIZE",
    "STEP_SIZE",
    "CLR_METHOD",
    "NUM_EPOCHS",
    "LRFIND_PLOT_PATH",
    "TRAINING_PLOT_PATH",
    "CLR_PLOT_PATH",
]
RATES = ["MIN_LR", "MAX_LR", "LRFIND_START_LR", "LRFIND_END_LR"]
COUNTS = ["BATCH_SIZE", "NUM_EPOCHS"]
PLOTS = ["LRFIND_PLOT_PATH", "TRAINING_PLOT_PATH", "CLR_PLOT_PATH"]

ABOVE_0 = "it must be a finite number above 0."
PART = "it must be above 0 and below 1."
SAME_NAME = "it must not have the file name of LRFIND_PLOT_PATH."
WHOLE = "it must be a whole number of at least 1."


def config(**changes: Any) -> SimpleNamespace:
    return SimpleNamespace(**{**GOOD, **changes})


def planned(*argv: str, **changes: Any) -> Plan:
    return Plan.made(config(**changes), parse(list(argv)))


@dataclass(frozen=True)
class Bad:
    """A setting that cannot be used: its name, its value, the value as shown, the rule it breaks."""

    name: str
    value: Any
    shown: str
    rule: str

    def __str__(self) -> str:
        return f"{self.name}={self.shown}"[:50]


NOT_RATES = [
    (0, "0"),
    (0.0, "0.0"),
    (-1e-3, "-0.001"),
    (math.nan, "nan"),
    (math.inf, "inf"),
    (np.float32("nan"), "nan"),
    (None, "None"),
    ("0.01", "'0.01'"),
    (True, "True"),
    ([1e-3], "[0.001]"),
    (1j, "1j"),
    (np.array([0.1, 0.2]), "array([0.1, 0.2])"),
    (np.array(0.1), "array(0.1)"),
    (10**400, "1" + "0" * 400),
]
NOT_COUNTS = [
    (0, "0"),
    (-64, "-64"),
    (64.0, "64.0"),
    (True, "True"),
    (np.bool_(True), "True"),
    ("64", "'64'"),
    (None, "None"),
    ([64], "[64]"),
    (math.nan, "nan"),
    (np.float64(64), "64.0"),
]
NOT_PATHS = [
    (None, "None"),
    ("", "''"),
    (3, "3"),
    (["a.png"], "['a.png']"),
    (b"a.png", "b'a.png'"),
    ("a\0.png", r"'a\x00.png'"),
]
MODES = "it must be one of ('triangular', 'triangular2', 'exp_range')."
POLICIES = "it must be one of ('auto', 'float32', 'mixed_bfloat16', 'mixed_float16')."
ENDINGS = "it must end in .png, .pdf, .svg or .jpg."
TEN_NAMES = "it must be a list of the 10 class names."
KEPT = "it must be 0, or how many training images to evaluate on instead."
SEEDS = "it must be a whole number from 0 to 4294967295."

BAD = [
    *(Bad(name, value, shown, ABOVE_0) for name in (*RATES, "STEP_SIZE") for value, shown in NOT_RATES),
    *(Bad(name, value, shown, WHOLE) for name in COUNTS for value, shown in NOT_COUNTS),
    *(Bad(name, *bad, "it must be a path.") for name in ("OUTPUT_DIR", *PLOTS) for bad in NOT_PATHS),
    *(Bad(name, "plot", "'plot'", ENDINGS) for name in PLOTS),
    *(Bad(name, "plot.txt", "'plot.txt'", ENDINGS) for name in PLOTS),
    Bad("LRFIND_PLOT_PATH", "output/.png", "'output/.png'", ENDINGS),
    Bad("MIN_LR", 0.1, "0.1", "it must be less than MAX_LR = 0.01; swap them, or lower it."),
    Bad("MIN_LR", 1e-2, "0.01", "it must be less than MAX_LR = 0.01; swap them, or lower it."),
    Bad("LRFIND_START_LR", 11, "11", "it must be less than LRFIND_END_LR = 10.0; swap them, or lower it."),
    Bad("LRFIND_START_LR", 10, "10", "it must be less than LRFIND_END_LR = 10.0; swap them, or lower it."),
    *(Bad("HOLD_OUT", value, shown, KEPT) for value, shown in NOT_COUNTS if shown != "0"),
    *(Bad("CLR_GAMMA", value, shown, PART) for value, shown in [*NOT_RATES, (1, "1"), (1.5, "1.5")]),
    Bad("CLR_PLOT_PATH", "b/lrfind_plot.png", "'b/lrfind_plot.png'", SAME_NAME),
    Bad("CLR_METHOD", "Triangular", "'Triangular'", MODES),
    Bad("CLR_METHOD", None, "None", MODES),
    Bad("CLR_METHOD", ["triangular"], "['triangular']", MODES),
    Bad("CLR_METHOD", np.array(["triangular", "x"]), "array(['triangular', 'x'], dtype='<U10')", MODES),
    Bad("DTYPE_POLICY", "bfloat16", "'bfloat16'", POLICIES),
    Bad("DTYPE_POLICY", None, "None", POLICIES),
    Bad("DTYPE_POLICY", np.array(["auto", "x"]), "array(['auto', 'x'], dtype='<U4')", POLICIES),
    Bad("CLASSES", NAMES[:9], repr(NAMES[:9]), TEN_NAMES),
    Bad("CLASSES", [*NAMES, "hat"], repr([*NAMES, "hat"]), TEN_NAMES),
    Bad("CLASSES", "0123456789", "'0123456789'", TEN_NAMES),
    Bad("CLASSES", list(range(10)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]", TEN_NAMES),
    Bad("CLASSES", [*NAMES[:9], ""], repr([*NAMES[:9], ""]), TEN_NAMES),
    Bad("SEED", -1, "-1", SEEDS),
    Bad("SEED", 2**32, "4294967296", SEEDS),
    Bad("SEED", 0.5, "0.5", SEEDS),
    Bad("SEED", None, "None", SEEDS),
    Bad("SEED", False, "False", SEEDS),
    Bad("DATA_DIR", 3, "3", "it must be the path of a folder, or None."),
    Bad("DATA_DIR", "", "''", "it must be the path of a folder, or None."),
    Bad("DATA_DIR", ["data"], "['data']", "it must be the path of a folder, or None."),
    Bad("TENSORBOARD_DIR", True, "True", "it must be the path of a folder, or None."),
    Bad("TENSORBOARD_DIR", "", "''", "it must be the path of a folder, or None."),
]


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_bad_setting_gives_one_line_with_name_value_and_fix(bad):
    expected = f"{bad.name} = {bad.shown} in config.py: {bad.rule}"
    with pytest.raises(SettingError, match=f"^{re.escape(expected)}$"):
        Settings.from_config(config(**{bad.name: bad.value}))


@pytest.mark.parametrize("name", GOOD)
def test_value_shown_on_several_lines_is_put_on_one(name):
    with pytest.raises(SettingError, match=rf"^{name} = array\(\[\[0\.") as error:
        Settings.from_config(config(**{name: np.zeros((30, 30))}))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", REQUIRED)
def test_missing_setting_is_named(name):
    incomplete = config()
    delattr(incomplete, name)
    with pytest.raises(
        SettingError, match=rf"^{name} is missing from config\.py: add a line `{name} = \.\.\.`\.$"
    ):
        Settings.from_config(incomplete)


def test_other_settings_have_defaults():
    settings = Settings.from_config(SimpleNamespace(**{name: GOOD[name] for name in REQUIRED}))
    assert (settings.output_dir, settings.data_dir, settings.seed) == ("output", None, 42)
    assert (settings.lrfind_start_lr, settings.lrfind_end_lr) == (1e-10, 10.0)
    assert (settings.lrfind_steps, settings.lrfind_verify_steps) == (200, 600)
    assert settings.dtype_policy == "auto"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("MAXLR", "MAX_LR"),
        ("LRFIND_STEP", "LRFIND_STEPS"),
        ("EPOCHS", "NUM_EPOCHS"),
        ("DTYPE", "DTYPE_POLICY"),
    ],
)
def test_unknown_setting_is_refused_with_the_nearest_name(name, nearest):
    expected = (
        f"{name} in config.py is not a setting: did you mean {nearest}? A constant of your own may stay as "
        f"_{name}."
    )
    with pytest.raises(SettingError, match=f"^{re.escape(expected)}$"):
        Settings.from_config(config(**{name: 1}))


def test_unknown_setting_is_named_also_where_the_right_one_is_missing():
    misspelt = config(MAX_LRS=0.01)
    del misspelt.MAX_LR
    with pytest.raises(SettingError, match=r"^MAX_LRS in .* did you mean MAX_LR\?"):
        Settings.from_config(misspelt)


def test_unknown_setting_like_no_other_is_answered_with_all_names():
    with pytest.raises(
        SettingError, match=r"^ZZZ in config\.py is not a setting: the settings are MIN_LR, .*CLASSES"
    ):
        Settings.from_config(config(ZZZ=1))


def test_names_that_are_no_constants_may_be_anything():
    names = {"os": math, "PIL": math, "_SCALE": 2, "Path": Path, "helper": 1, "__FILE__": ""}
    assert Settings.from_config(config(**names)) == Settings.from_config(config())


def test_config_cannot_ask_for_the_embedded_sample():
    with pytest.raises(SettingError, match=r"^QUICK in config\.py is not a setting"):
        Settings.from_config(config(QUICK=True))


def test_event_files_of_a_quick_look_are_kept_apart():
    assert planned("--quick").settings.tensorboard_dir is None
    assert planned("--quick", TENSORBOARD_DIR="events").settings.tensorboard_dir == "events/quick"


def test_unwritable_folder_for_event_files_is_named(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(SettingError, match=r"^TENSORBOARD_DIR = .*taken' cannot be written to \("):
        inside(tmp_path / "free", TENSORBOARD_DIR=str(tmp_path / "taken")).make_folders()


def test_config_of_the_project_names_every_setting_and_can_be_used():
    spec = importlib.util.spec_from_file_location("config_of_the_project", ROOT / "config.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    settings = Settings.from_config(module)
    assert {name for name in vars(module) if name.isupper()} == set(GOOD)
    assert asdict(settings).keys() == {name.lower() for name in GOOD}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("MIN_LR", np.float64(1e-4), 1e-4),
        ("MIN_LR", np.float32(0.0078125), 0.0078125),
        ("MAX_LR", 1, 1),
        ("MAX_LR", np.int64(1), 1),
        ("STEP_SIZE", np.float64(0.5), 0.5),
        ("BATCH_SIZE", np.int32(32), 32),
        ("SEED", np.uint8(7), 7),
        ("CLR_METHOD", np.str_("exp_range"), "exp_range"),
    ],
)
def test_numpy_scalars_become_python_numbers(name, value, expected):
    received = getattr(Settings.from_config(config(**{name: value})), name.lower())
    assert received == expected
    assert type(received) is type(expected)
    assert json.loads(json.dumps(received)) == expected


@pytest.mark.parametrize(
    "name", ["plot.png", "plot.pdf", "plot.svg", "plot.jpg", "PLOT.PNG", Path("a/b.png")]
)
def test_plot_path_may_have_any_image_ending(name):
    assert Settings.from_config(config(CLR_PLOT_PATH=name)).clr_plot_path == name


@pytest.mark.parametrize("name", ["OUTPUT_DIR", "DATA_DIR", "TENSORBOARD_DIR", *PLOTS])
@pytest.mark.parametrize("kind", [str, Path])
def test_tilde_is_the_users_folder(monkeypatch, name, kind):
    monkeypatch.setenv("HOME", "/home/someone")
    settings = Settings.from_config(config(**{name: kind("~/runs/a.png")}))
    assert getattr(settings, name.lower()) == "/home/someone/runs/a.png"


def test_tilde_of_nobody_is_refused():
    expected = "DATA_DIR = '~nobody-here/data' in config.py: there is no such user's folder."
    with pytest.raises(SettingError, match=f"^{re.escape(expected)}$"):
        Settings.from_config(config(DATA_DIR="~nobody-here/data"))


def test_classes_may_be_a_tuple():
    assert list(Settings.from_config(config(CLASSES=tuple(NAMES))).classes) == NAMES


def inside(folder: Path, **changes: Any) -> Settings:
    paths = {name: str(folder / Path(GOOD[name]).name) for name in PLOTS}
    return Settings.from_config(config(**{"OUTPUT_DIR": str(folder), **paths, **changes}))


def test_missing_folders_are_made(tmp_path):
    inside(tmp_path / "a" / "b", CLR_PLOT_PATH=str(tmp_path / "c" / "clr.png")).make_folders()
    assert (tmp_path / "a" / "b").is_dir()
    assert (tmp_path / "c").is_dir()


@pytest.mark.parametrize("name", ["OUTPUT_DIR", *PLOTS])
@pytest.mark.parametrize("below", ["", "deeper"])
def test_file_in_the_place_of_a_folder_is_named(tmp_path, name, below):
    (tmp_path / "taken").write_text("a file")
    folder = tmp_path / "taken" / below
    value = str(folder if name == "OUTPUT_DIR" else folder / "plot.png")
    reason = "Not a directory" if below else "File exists"
    expected = f"{name} = {value!r}: the folder {str(folder)!r} cannot be written to ({reason}). Name another"
    with pytest.raises(SettingError, match=f"^{re.escape(expected)} one, or change its permissions.$"):
        inside(tmp_path / "free", **{name: value}).make_folders()


def test_folder_without_permission_is_named(tmp_path, monkeypatch):
    def temporary_file(dir: Path) -> Any:  # root may write everywhere
        if dir == tmp_path / "locked":
            raise PermissionError(13, "Permission denied")
        return contextlib.nullcontext()

    monkeypatch.setattr("tempfile.TemporaryFile", temporary_file)
    with pytest.raises(
        SettingError, match=r"^OUTPUT_DIR = .*locked' cannot be written to \(Permission denied"
    ):
        inside(tmp_path / "free", OUTPUT_DIR=str(tmp_path / "locked")).make_folders()


@pytest.mark.parametrize("name", PLOTS)
def test_folder_in_the_place_of_a_plot_is_named(tmp_path, name):
    (tmp_path / "plot.png").mkdir()
    with pytest.raises(SettingError, match=rf"^{name} = .* it must name a file, and there is a folder of"):
        inside(tmp_path, **{name: str(tmp_path / "plot.png")}).make_folders()


@pytest.mark.parametrize("num_images", [64, 63, 1])
def test_batch_of_all_images_is_refused(num_images):
    rule = f"BATCH_SIZE = 64 in config.py: it must be less than the number of training images, {num_images}."
    with pytest.raises(SettingError, match=f"^{re.escape(rule)}$"):
        Settings.from_config(config()).check_leaves_images("batch_size", num_images)


def test_batch_of_fewer_than_all_images_fits():
    Settings.from_config(config()).check_leaves_images("batch_size", 65)


@pytest.mark.parametrize("steps", [1, 0, -5, 2.5, True, "500", None])
def test_sweep_of_fewer_than_2_steps_is_refused(steps):
    message = f"LRFIND_STEPS = {steps!r} in config.py: it must be a whole number of at least 2"
    with pytest.raises(SettingError, match=re.escape(message)):
        Settings.from_config(SimpleNamespace(**{**GOOD, "LRFIND_STEPS": steps}))


@pytest.mark.parametrize("steps", [1, 119, -120, 600.5, True])
def test_verification_in_too_few_steps_is_refused(steps):
    rule = "it must be 0, to leave it out, or a whole number of at least 120"
    message = f"LRFIND_VERIFY_STEPS = {steps} in config.py: {rule}"
    with pytest.raises(SettingError, match=re.escape(message)):
        Settings.from_config(SimpleNamespace(**{**GOOD, "LRFIND_VERIFY_STEPS": steps}))


@pytest.mark.parametrize("steps", [0, 120, 5000])
def test_verification_can_be_left_out_or_given_its_steps(steps):
    settings = Settings.from_config(SimpleNamespace(**{**GOOD, "LRFIND_VERIFY_STEPS": steps}))
    assert settings.lrfind_verify_steps == steps


@pytest.mark.parametrize(
    ("argv", "steps", "expected"),
    [
        (["--recipe", "best"], 600, 1200),
        (["--recipe", "best"], 5000, 5000),
        (["--recipe", "best"], 0, 0),
        (["--recipe", "best", "--no-verify"], 600, 0),
        (["--recipe", "best", "--verify"], 0, 1200),
        (["--recipe", "best", "--quick"], 600, 240),
        (["--recipe", "short"], 600, 600),
        ([], 600, 600),
    ],
)
def test_recipe_may_ask_for_more_steps_of_verification(argv, steps, expected):
    assert planned(*argv, LRFIND_VERIFY_STEPS=steps).settings.lrfind_verify_steps == expected


# The plan --------------------------------------------------------------------------------------------------


def test_quick_look_keeps_its_results_apart():
    paths = {"OUTPUT_DIR": "results", "CLR_PLOT_PATH": "elsewhere/clr.svg"}
    plan = planned("--quick", **paths)
    assert plan.quick is True
    assert plan.settings.output_dir == "results/quick"
    assert plan.settings.lrfind_plot_path == "results/quick/lrfind_plot.png"
    assert plan.settings.training_plot_path == "results/quick/training_plot.png"
    assert plan.settings.clr_plot_path == "results/quick/clr.svg"
    assert (planned(**paths).quick, planned(**paths).settings.output_dir) == (False, "results")


def test_short_recipe_keeps_its_results_apart_also_in_a_quick_look():
    assert planned("--recipe", "short").settings.output_dir == "output/short"
    both = planned("--quick", "--recipe", "short").settings
    assert (both.output_dir, both.clr_plot_path) == ("output/quick/short", "output/quick/short/clr_plot.png")


@pytest.mark.parametrize(("batch_size", "expected"), [(64, 16), (8, 8)])
def test_quick_look_trains_whole_cycles_in_small_batches(batch_size, expected):
    quick = planned("--quick", BATCH_SIZE=batch_size)
    assert quick.settings.batch_size == expected
    assert quick.settings.num_epochs % (2 * quick.settings.step_size) == 0
    assert quick.recipe.epochs == quick.settings.num_epochs


IN_BATCHES_OF_128 = Recipe((Stage(28, 3),), epochs_up=1, epochs_down=2, batch_size=128)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [((), 64), (("--recipe", "own"), 128), (("--quick", "--recipe", "own"), 16)],
)
def test_batch_size_of_a_recipe_takes_the_place_of_the_settings_but_for_a_quick_look(
    monkeypatch, argv, expected
):
    monkeypatch.setitem(COMPLETE, "own", IN_BATCHES_OF_128)
    monkeypatch.setattr("pyimagesearch_lr.pipeline.command_line.RECIPES", ("tutorial", "own"))
    plan = planned(*argv)
    assert plan.settings.batch_size == plan.record(plan.bounds)["batch_size"] == expected
    assert plan.recipe.batch_size == (expected if argv else None)  # which the description tells
    assert plan.same_on_resume(plan.bounds)["BATCH_SIZE"] == expected
    plan.check_batch(expected + 1)
    named = "--recipe own trains in batches of 128 images, and there are 128 to train on: add images"
    message = named if expected == 128 else f"BATCH_SIZE = {expected} in config.py: it must be less"
    with pytest.raises(SettingError, match=message):
        plan.check_batch(expected)


def test_recipe_with_few_images_is_advised_against():
    epochs = COMPLETE["short"].epochs
    advice = planned("--recipe", "short").advice_for(10)
    assert advice.startswith(
        f"--recipe short takes {10 * epochs} steps with these images, and it was made for"
    )
    assert planned("--recipe", "short").advice_for(60_000 // 128) is None
    for argv in ((), ("--quick", "--recipe", "short"), ("--recipe", "short", "--lr-find", "1")):
        assert planned(*argv).advice_for(10) is None


def test_recipe_says_its_batches():
    assert IN_BATCHES_OF_128.describe(1e-3, 0.1) == (
        "3 epochs in batches of 128, triangular learning rate between 0.001 and 0.1, "
        "up in 1 epoch and down in 2"
    )


def test_recipe_says_its_optimizer_where_it_is_not_sgd():
    recipe = replace(IN_BATCHES_OF_128, optimizer="conv_muon")
    assert recipe.describe(1e-3, 0.1).startswith("3 epochs in batches of 128 with ConvMuon, triangular ")
    assert recipe.describe(1e-3, 0.1, "Adam").startswith("3 epochs in batches of 128 with Adam, triangular ")
    assert recipe.describe(1e-3, 0.1, "SGD") == IN_BATCHES_OF_128.describe(1e-3, 0.1)


@pytest.mark.parametrize(
    ("argv", "find", "train"),
    [
        ([], False, True),
        (["--lr-find", "1"], True, False),
        (["--auto"], True, True),
        (["--quick"], True, True),
        (["--quick", "--lr-find", "1"], True, False),
        (["--recipe", "short"], True, True),
        (["--recipe", "short", "--lr-find", "1"], True, False),
    ],
)
def test_phases_are_those_asked_for(argv, find, train):
    plan = planned(*argv)
    assert (plan.find, plan.train, plan.resume) == (find, train, False)


def test_plan_asked_for_nothing_is_config_pys_own():
    plan = planned()
    assert plan.settings == Settings.from_config(config())
    assert plan.recipe == Recipe((Stage(32, 48),), epochs_up=8, epochs_down=8, mode="triangular")
    assert plan.bounds == Bounds(1e-5, 1e-2, "config.py")


def test_nothing_can_be_written_into_a_plan():
    plan = planned()
    for part, name in (
        (plan, "find"),
        (plan.settings, "min_lr"),
        (plan.recipe, "stages"),
        (plan.bounds, "min_lr"),
    ):
        with pytest.raises(AttributeError, match=r"can.t set|cannot assign"):
            setattr(part, name, None)


def test_record_names_every_setting_in_plain_values_with_the_bounds_that_were_used():
    record = planned(OUTPUT_DIR=Path("output")).record(Bounds(1e-4, 1e-1, "the finder"))
    assert record.keys() == {name.lower() for name in GOOD} | {"quick", "recipe", "bounds_from"}
    assert (record["min_lr"], record["max_lr"], record["bounds_from"]) == (1e-4, 1e-1, "the finder")
    assert json.loads(json.dumps(record)) == record


def test_what_is_left_of_the_stages_begins_where_the_checkpoint_ended():
    recipe = Recipe((Stage(20, 2), Stage(24, 3), Stage(28, 1)), epochs_up=1, epochs_down=5)
    assert list(recipe.stages_after(0)) == [(20, 0, 2), (24, 2, 5), (28, 5, 6)]
    assert list(recipe.stages_after(1)) == [(20, 1, 2), (24, 2, 5), (28, 5, 6)]
    assert list(recipe.stages_after(2)) == [(24, 2, 5), (28, 5, 6)]
    assert list(recipe.stages_after(4)) == [(24, 4, 5), (28, 5, 6)]
    assert list(recipe.stages_after(6)) == []
