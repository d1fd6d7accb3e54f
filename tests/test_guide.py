"""The guide: its Python runs, its answers are those of its figures, its errors are those of the package."""

import contextlib
import importlib.util
import io
import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from markdown_blocks import blocks
from models import needs_multi_optimizer

from pyimagesearch_lr import CyclicalLearningRate, CyclicLR, LearningRateFinder, LRCurve, LRFinder, OneCycleLR

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the pages show TensorFlow's data and training steps"
)
DOCS = Path(__file__).resolve().parents[1] / "docs"
NAMES = (
    "getting_started",
    "reading_a_curve",
    "cycles",
    "own_training_loop",
    "how_it_works",
    "questions",
)
PAGES = {name: (DOCS / f"{name}.md").read_text(encoding="utf-8") for name in NAMES}
MOST_BYTES = 80_000


@pytest.mark.parametrize("name", NAMES)
def test_python_runs_and_says_what_stands_below_it(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": name}
    for block, below in re.findall(
        r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", PAGES[name], flags=re.DOTALL
    ):
        said, warned = output_of(block, names, name)
        if below:
            assert without_numbers(said) == without_numbers(below), block
        else:
            assert not warned, block


def output_of(block, names, name):
    """What a block prints and warns of, as they come, and the warnings alone."""
    warned: list = []

    def show(message, category, *_):
        warned.append(message)
        print(f"{category.__name__}: {message}")

    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()) as printed:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", message="__array__ implementation")
        warnings.showwarning = show
        exec(compile(block, f"{name}.md", "exec"), names)
    return printed.getvalue(), warned


def without_numbers(text):
    return " ".join(re.sub(r"[\d.]*\d(e[+-]?\d+)?", "#", text).split())


def test_running_means_move_a_curve_to_higher_rates_as_the_page_says():
    names: dict = {"__name__": "how_it_works"}
    exec(blocks(PAGES["how_it_works"], "python")[0], names)
    assert names["lowest"]["Naive"] > 3 * names["lowest"]["OneStepEach"]


@pytest.mark.parametrize("name", NAMES)
def test_python_that_is_not_run_is_marked_as_not_ours(name):
    unmarked = re.sub(r"<!-- not ours -->\n```py\n.*?```", "", PAGES[name], flags=re.DOTALL)
    assert set(re.findall(r"^```(\w*)\n.*?```", unmarked, flags=re.DOTALL | re.M)) <= {
        "python",
        "bash",
        "text",
        "console",
    }
    assert all(compile(block, name, "exec") for block in blocks(PAGES[name], "py"))


def test_figures_are_small_and_each_is_shown():
    shown = {figure for page in PAGES.values() for figure in re.findall(r"\]\(figures/(.*?)\)", page)}
    drawn = {path.name: path.stat().st_size for path in (DOCS / "figures").glob("*.png")}
    assert shown == set(drawn)
    assert max(drawn.values()) < MOST_BYTES


def test_answers_on_the_page_are_those_of_the_figures():
    answers = json.loads((DOCS / "figures/answers.json").read_text(encoding="utf-8"))
    page = PAGES["reading_a_curve"]
    for name, answer in answers.items():
        shown = re.search(rf"<!-- {name}:begin -->\n(.*?)\n<!-- {name}:end -->", page, flags=re.DOTALL)
        assert shown is not None, name
        assert shown[1].removeprefix("> ") == answer


@pytest.mark.parametrize("name", ["flat", "too_short", "too_high"])
def test_finder_says_to_the_curves_of_the_page_what_stands_there(name):
    path = DOCS.parent / "scripts/make/curve_figures.py"
    spec = importlib.util.spec_from_file_location("curve_figures", path)
    figures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(figures)
    kept = json.loads(figures.ANSWERS.read_text(encoding="utf-8"))
    assert without_numbers(figures.answer_to(figures.curve_of(name), "bounds")) == without_numbers(kept[name])


X = np.random.default_rng(0).normal(size=(320, 4)).astype("float32")
Y = X.sum(axis=1, keepdims=True)
SWEEP = {"start_lr": 1e-5, "end_lr": 1.0, "num_steps": 40, "verify": False, "verbose": 0}


def new_model(optimizer=None):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(optimizer or keras.optimizers.SGD(0.01, momentum=0.9), "mse")
    return model


def find(model=None, data=(X, Y), **settings):
    return LearningRateFinder(model or new_model()).find(data, **{**SWEEP, **settings})


def fit(*callbacks, model=None, data=(X, Y), epochs=1):
    x, y = data if isinstance(data, tuple) else (data, None)
    (model or new_model()).fit(x, y, epochs=epochs, callbacks=list(callbacks), shuffle=False, verbose=0)


def suggest_of(losses, method=None):
    lrs = np.geomspace(1e-6, 1, len(losses))
    return LRCurve(lrs, losses, losses, "end_lr").suggest(method)


def dataset(batches=10):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(320 // batches)


def generator(batches=15):
    return ((X[:32], Y[:32]) for _ in range(batches))


def decayed():
    return new_model(keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)))


def several_optimizers():
    chosen = {"kernel": keras.optimizers.SGD(0.1), "bias": keras.optimizers.Adam(0.1)}
    return new_model(keras.optimizers.MultiOptimizer(lambda variable: chosen[variable.path.split("/")[-1]]))


class Steps(keras.Model):
    """Trains with `trainer` and returns its loss as `name`."""

    def __init__(self, name="loss", trainer="optimizer"):
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.name_of_loss, self.trainer = name, trainer
        self.g_optimizer = keras.optimizers.Adam() if trainer == "g_optimizer" else None

    def call(self, inputs):
        return self.dense(inputs)

    def train_step(self, data):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(data[0]) - data[1]) ** 2)
        if self.trainer:
            gradients = tape.gradient(loss, self.trainable_variables)
            getattr(self, self.trainer).apply(gradients, self.trainable_variables)
        return {self.name_of_loss: loss}


def steps(**settings):
    model = Steps(**settings)
    model.compile()
    return model


def loaded_without_import():
    new_model(keras.optimizers.SGD(CyclicalLearningRate(1e-3, 1e-1, 20))).save("scheduled.keras")
    load = "import keras; keras.models.load_model('scheduled.keras')"
    done = subprocess.run([sys.executable, "-c", load], capture_output=True, text=True, check=False)
    found = re.search(r"Could not locate class .*? trying to load them\.", done.stderr)
    if found is None and keras.__version__ < "3.13":
        pytest.skip("this Keras says it in other words")
    raise TypeError("" if found is None else found[0])


def set_rate_of_schedule():
    decayed().optimizer.learning_rate = 0.1


def lambda_saved():
    CyclicalLearningRate(1e-3, 1e-1, 20, scale_fn=lambda cycle: 1 / cycle).get_config()


FALLING = np.linspace(2.0, 1.0, 60)
NOISE = np.random.default_rng(0).normal(2.0, 0.1, size=60)
PROVOKED = {
    "generator": lambda: find(data=generator(60)),
    "ran out": lambda: find(data=generator(15)),
    "length of a dataset": lambda: find(data=dataset().filter(lambda *_: True), num_steps=None),
    "x and y apart": lambda: LearningRateFinder(new_model()).find(X, Y, 1e-6, 10),
    "lists": lambda: find(data=([[1.0, 2.0]], [[1.0]])),
    "weights of a dataset": lambda: find(data=dataset(), sample_weight=np.ones(320)),
    "endless validation": lambda: find(validation_data=dataset().repeat()),
    "not compiled": lambda: find(keras.Sequential([keras.layers.Dense(1)])),
    "no model": lambda: find({"no": "model"}),
    "no loss": lambda: find(steps(name="my_loss")),
    "other optimizer": lambda: find(steps(trainer="g_optimizer")),
    "no effect": lambda: find(steps(trainer=None)),
    "rate of a schedule": set_rate_of_schedule,
    "no momentum": lambda: fit(OneCycleLR(0.1, momentum=(0.85, 0.95)), model=new_model("sgd")),
    "several rates": lambda: fit(CyclicLR(), model=several_optimizers()),
    "two drivers": lambda: fit(CyclicLR(), keras.callbacks.ReduceLROnPlateau()),
    "driver and schedule": lambda: fit(CyclicLR(), model=decayed()),
    "early stopping": lambda: fit(
        LRFinder(num_steps=5), keras.callbacks.EarlyStopping(monitor="loss", restore_best_weights=True)
    ),
    "mid-cycle": lambda: fit(CyclicLR(1e-3, 1e-1, step_size=20), epochs=6),
    "length of a fit": lambda: fit(OneCycleLR(0.1), data=generator()),
    "nan": lambda: suggest_of(np.full(60, np.nan)),
    "not imported": loaded_without_import,
    "lambda": lambda_saved,
    "flat": lambda: suggest_of(NOISE),
    "no turn": lambda: suggest_of(FALLING),
    "rises": lambda: suggest_of(FALLING[::-1]),
    "no probes": lambda: suggest_of(NOISE, "verified"),
    "generator tried": lambda: find(data=generator(), verify=300),
    "both lengths": lambda: find(epochs=2, num_steps=20),
}


def quoted():
    """The errors and warnings that stand on the page without code above them."""
    page = re.sub(r"```python\n.*?```\n(\n```text\n.*?```)?", "", PAGES["questions"], flags=re.DOTALL)
    return {without_numbers(each) for each in blocks(page, "text")}


def said_by(provoke):
    """What comes of it, errors and warnings as Python shows them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", message="__array__ implementation")
        try:
            provoke()
            raised = []
        except Exception as error:
            raised = [f"{type(error).__name__}: {error}"]
    return {without_numbers(f"{each.category.__name__}: {each.message}") for each in caught} | set(
        map(without_numbers, raised)
    )


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[needs_multi_optimizer] * (name == "several rates")) for name in PROVOKED],
)
def test_errors_and_warnings_on_the_page_are_those_that_come(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = said_by(PROVOKED[name])
    assert said & quoted(), said


def test_every_error_and_warning_on_the_page_is_provoked():
    assert len(quoted()) == len(PROVOKED)
