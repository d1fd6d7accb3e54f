# Every target works on a machine that has only python3, make and a way to PyPI:
# what it needs (virtual environment, packages, data) it makes first.

PYTHON ?= python3
PY := .venv/bin/python

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help lr-find train auto short best quick data test test-all test-versions test-backends soak check static doctest docs wheel clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) \
	| while IFS='|' read -r target does; do printf '  make %-14s %s\n' "$$target" "$$does"; done

lr-find: .venv/.installed data  ## sweep the learning rate and plot the loss
	$(PY) train.py --lr-find 1

train: .venv/.installed data  ## train with the bounds in config.py
	$(PY) train.py

auto: .venv/.installed data  ## find the bounds, then train with them
	$(PY) train.py --auto

short: .venv/.installed data  ## find the bounds, then train to the tutorial's accuracy in six epochs
	$(PY) train.py --recipe short

best: .venv/.installed data  ## the same in twelve epochs, to a higher accuracy
	$(PY) train.py --recipe best

quick: .venv/.installed  ## find and train on the small bundled sample
	$(PY) train.py --quick --auto

data:  ## fetch Fashion-MNIST, unless it is here already
	@$(PYTHON) scripts/make/get_data.py

test: .venv/.installed  ## run the fast tests
	$(PY) -m pytest -n 2 -m "not slow"

test-all: .venv/.installed  ## run every test
	$(PY) -m pytest -n 2

test-versions: .venv/.installed  ## run the fast tests on the oldest, a middle and the newest Keras (hours)
	$(PY) scripts/make/test_matrix.py versions

test-backends: .venv/.installed  ## run the tests of every backend on TensorFlow, JAX and PyTorch
	$(PY) -m pip install --quiet jax torch==2.13.0
	$(PY) scripts/make/test_matrix.py backends

soak: .venv/.installed  ## kill 200 runs, mutate 100,000 files of each kind (hours)
	KILLS=200 MUTATIONS=100000 $(PY) -m pytest -s tests/pipeline/test_killed.py \
	tests/pipeline/test_checkpoint_file.py tests/test_curve_files.py tests/pipeline/test_config_values.py

check: static test doctest  ## formatting, lint, types, fast tests, docstring examples

static: .venv/.installed  ## formatting, lint, types
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

doctest: .venv/.installed  ## run the examples in the docstrings
	$(PY) -m pytest --doctest-modules pyimagesearch_lr --deselect $(NEEDS_IMAGES)

docs: .venv/.installed  ## build the documentation: open site/index.html
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict

wheel: .venv/.installed  ## build dist/*.whl
	rm -rf build
	$(PY) -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:  ## remove what was built; .venv, data and output stay
	rm -rf build dist site *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name .venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# Debian keeps pip out of its python3; there it is unpacked from Debian's own package, which needs no root.
# Its pip trusts the system's certificates only, so a machine without any lends it those of ca-certificates.
DEBIAN := .venv/debian
define debian_pip
$(PYTHON) -m venv --clear --without-pip .venv && \
PYTHONPATH=scripts/make $(PYTHON) -c "import sys, pathlib, get_data; \
	[get_data.unpack_debian_package(name, pathlib.Path('$(DEBIAN)').resolve()) for name in sys.argv[1:]]" \
	python3-pip-whl ca-certificates && \
cat $(DEBIAN)/usr/share/ca-certificates/mozilla/*.crt > $(DEBIAN)/certificates.pem && \
{ test -e /etc/ssl/certs/ca-certificates.crt || export PIP_CERT="$${PIP_CERT:-$(DEBIAN)/certificates.pem}"; } && \
PYTHONPATH=$$(echo $(DEBIAN)/usr/share/python-wheels/pip-*.whl) \
	$(PY) -m pip install --quiet --ignore-installed pip && \
rm -rf $(DEBIAN)
endef

# An example that needs the full data: tests/pipeline/test_fashion_mnist.py runs it where they are.
FASHION_MNIST := pipeline/fashion_mnist
NEEDS_IMAGES := pyimagesearch_lr/$(FASHION_MNIST).py::pyimagesearch_lr.$(subst /,.,$(FASHION_MNIST)).load_data

.venv/.installed: setup.py pyproject.toml
	@$(PY) -m pip --version > /dev/null 2>&1 || { \
	echo "Making .venv ..."; \
	$(PYTHON) -m venv --clear .venv > /dev/null 2>&1 || { $(debian_pip); } || { \
	echo "Could not make .venv with $(PYTHON). On Debian: sudo apt-get install python3-venv" >&2; \
	exit 1; }; }
	@echo "Installing the packages into .venv (TensorFlow is large: some minutes) ..."
	@PYTHONWARNINGS=ignore $(PY) -m pip install --quiet --editable '.[test,docs]' || { \
	echo "pip failed, as it says above. If there is no TensorFlow for this Python, use another:" >&2; \
	echo "  rm -rf .venv && make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
	exit 1; }
	@touch $@
