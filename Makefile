# Everything that is done with this project. `make install` runs first wherever it is needed.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STAMP := .venv/installed

# Chromium draws the pages that the tests look at; only Debian's package is installed here.
CHROMIUM := /usr/bin/chromium

CODE := src tests benchmarks $(wildcard docs/*.py) docs/extensions docs/notebooks

# Two processes, and each file in one of them, for the sake of its fixtures.
IN_PARALLEL := --numprocesses 2 --dist loadfile

.PHONY: install demo test test-quick test-release docs lint format bench gallery clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $(STAMP)

demo: install
	$(BIN)/timbrel demo

test: install $(CHROMIUM)
	$(BIN)/python -m pytest $(IN_PARALLEL) --ignore=tests/release

test-quick: install
	$(BIN)/python -m pytest $(IN_PARALLEL) --ignore=tests/release -m "not slow"

test-release: install
	$(BIN)/python -m pytest tests/release

# Every warning is an error: a link that leads nowhere, a heading that is not there, a type that is
# not documented.
docs: install
	$(BIN)/python -m sphinx -b html -W --keep-going -q -d out/doctrees docs out/docs
	@echo out/docs/index.html

lint: install
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/lint-imports --no-cache

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

$(CHROMIUM):
	-test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || \
		(apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium)

clean:
	rm -rf .venv build dist out timbrel-demo timbrel-model
