# Everything that is done with this project. `make install` runs first wherever it is needed.
# Another Python has an environment of its own: `make test-release PYTHON=python3.13`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv$(if $(filter command,$(origin PYTHON)),-$(notdir $(PYTHON)))
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
STAMP := $(VENV)/installed

# Chromium draws the pages that the tests look at; only Debian's package is installed here.
CHROMIUM := /usr/bin/chromium

CODE := src tests benchmarks $(wildcard docs/*.py) docs/extensions docs/notebooks

# The shells whose completion is tested, where Debian's packages can be installed.
SHELLS := /usr/bin/zsh /usr/bin/fish

# Speech and other instruments, which the instrument model is asked about: 160 MB of Debian's packages.
STRANGERS := /usr/share/klettres /usr/share/sounds/sf2/FluidR3_GM.sf2 /usr/bin/fluidsynth

# Two processes, and each file in one of them, for the sake of its fixtures.
IN_PARALLEL := --numprocesses 2 --dist loadfile

.PHONY: install demo test test-quick test-release test-minimum test-newest versions dist docs instrument-model lint \
	format bench gallery clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $(STAMP)

demo: install
	$(BIN)/timbrel demo

test: install $(CHROMIUM) $(SHELLS)
	$(BIN)/python -m pytest $(IN_PARALLEL) --ignore=tests/release

test-quick: install
	$(BIN)/python -m pytest $(IN_PARALLEL) --ignore=tests/release -m "not slow"

# What is handed out, and predicting with the oldest versions that are allowed.
test-release: install $(STRANGERS)
	$(BIN)/python -m pytest tests/release
	$(BIN)/python benchmarks/versions.py --end minimum --for predicting

# In fresh environments, with nothing but the lowest versions that pyproject.toml allows, and with
# the newest that there are; takes minutes and, for training, 2 GB in out/.
test-minimum: install
	$(BIN)/python benchmarks/versions.py --end minimum

test-newest: install
	$(BIN)/python benchmarks/versions.py --end newest

# Both, on every Python that is named, and docs/reference/versions.md from it:
# `make versions PYTHONS="python3.11 python3.12 python3.13"`.
PYTHONS ?= $(PYTHON)
versions: install
	$(BIN)/python benchmarks/versions.py --save $(addprefix --python ,$(PYTHONS))

dist: install
	$(BIN)/python -m build --outdir dist .

# Every warning is an error: a link that leads nowhere, a heading that is not there, a type that is
# not documented.
docs: install
	$(BIN)/python -m sphinx -b html -W --keep-going -q -d out/doctrees docs out/docs
	@echo out/docs/index.html

# The model that comes with the package, its figures and its card; an hour or two.
instrument-model: install $(STRANGERS)
	$(BIN)/python benchmarks/instrument_model.py

lint: install
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

bench: install
	$(BIN)/python benchmarks/isolation.py
	$(BIN)/python benchmarks/check.py
	$(BIN)/python benchmarks/prepare.py
	$(BIN)/python benchmarks/mislabelled.py
	$(BIN)/python benchmarks/tutorial_training.py
	$(BIN)/python benchmarks/honesty.py
	$(BIN)/python benchmarks/recipes.py --unknown
	$(BIN)/python benchmarks/variants.py
	$(BIN)/python benchmarks/elsewhere.py
	$(BIN)/python benchmarks/imbalance.py
	$(BIN)/python benchmarks/none_of_these.py
	$(BIN)/python benchmarks/few_recordings.py
	$(BIN)/python benchmarks/time_to_accuracy.py
	$(BIN)/python benchmarks/predict.py --models out/models
	$(BIN)/python benchmarks/long_recordings.py -m out/models/statistics-cnn
	$(BIN)/python benchmarks/latency.py -m out/models/statistics-cnn
	$(BIN)/python benchmarks/startup.py --models out/models

# The confusion matrices are drawn from the results of benchmarks/honesty.py, which `make bench` runs.
gallery: install $(CHROMIUM)
	$(BIN)/python docs/notebook.py
	$(BIN)/python docs/pictures.py

# The packages of what is not named as its package is.
PACKAGE = $(or $(PACKAGE_OF_$(notdir $@)),$(notdir $@))
PACKAGE_OF_klettres := klettres-data
PACKAGE_OF_FluidR3_GM.sf2 := fluid-soundfont-gm

$(CHROMIUM) $(SHELLS) $(STRANGERS):
	-test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || \
		(apt-get update -qq && apt-get install -y -qq --no-install-recommends $(PACKAGE))

clean:
	rm -rf .venv .venv-* build dist out timbrel-demo timbrel-model
