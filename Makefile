# make demo   the main job on examples/, from nothing but Python, make and git
# make test   everything that CI runs
# make check  formatting, lint, types, floor plan, docs, tests
# make accuracy  verdicts against the labelled cases and against what the lab injected
# make bench  speed and memory beside other tools, checked against the truth; make bench-full: 10 GB

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# the lab's part of `accuracy` with one seed
.PHONY: demo test check lint types floorplan docs-fresh tests accuracy accuracy-quick docs bench bench-full clean

demo: $(VENV)/.installed
	-$(BIN)/apigw-doctor diagnose examples/checkout-incident

test: check

check: lint types floorplan docs-fresh tests accuracy-quick

accuracy-quick: $(VENV)/.dev
	$(BIN)/python -m tests.labelled.accuracy
	$(BIN)/python -m tests.matrix.accuracy --quick

lint: $(VENV)/.dev
	$(BIN)/ruff format --check src tests benchmarks examples docs/generate.py setup.py
	$(BIN)/ruff check src tests benchmarks examples docs/generate.py setup.py

types: $(VENV)/.dev
	$(BIN)/mypy

floorplan: $(VENV)/.dev
	$(BIN)/lint-imports

docs-fresh: $(VENV)/.dev
	$(BIN)/python docs/generate.py --check

tests: $(VENV)/.dev
	$(BIN)/pytest

# the labelled cases, then what the lab plays, through each level of evidence
accuracy: $(VENV)/.dev
	$(BIN)/python -m tests.labelled.accuracy
	$(BIN)/python -m tests.matrix.accuracy

docs: $(VENV)/.dev
	$(BIN)/python docs/generate.py

bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks.run

bench-full: $(VENV)/.installed
	$(BIN)/python -m benchmarks.run --full

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml setup.py constraints.txt $(wildcard native/*)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist src/apigw_doctor/sources/_native*.so .mypy_cache .ruff_cache .pytest_cache .hypothesis
