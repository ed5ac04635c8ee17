# Everything happens in a virtual environment inside the checkout, with pip alone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint clean

# A crystal and a fluid by the network, sixteen atoms measured beside published numbers, and the test case of two atoms
# trained while you watch, beside the exact answer.
demo: $(VENV)/installed
	$(BIN)/jovium crystal cs-iv --rs 1.30 --out demo/cs-iv.vasp
	$(BIN)/jovium analyse demo/cs-iv.vasp --compare --out demo/cs-iv
	$(BIN)/jovium analyse examples/fluid_54_rs1.40_3000K.extxyz --out demo/fluid
	$(BIN)/jovium free-energy report data/free_energy/n16_twists4 --samples 20 --out demo/sixteen-atoms
	$(BIN)/jovium free-energy train demo/two-atoms-test --config examples/two_atoms.yaml
	$(BIN)/jovium free-energy measure demo/two-atoms-test --samples 1024 --electron-samples 16
	$(BIN)/jovium free-energy report demo/two-atoms-test
	$(BIN)/jovium index demo

test: $(VENV)/installed-dev
	$(BIN)/ruff check src tests benchmarks examples docs
	$(BIN)/ruff format --check src tests benchmarks examples docs
	$(BIN)/pyright
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile -m "not slow"

lint: $(VENV)/installed-dev
	$(BIN)/ruff check --fix src tests benchmarks examples docs
	$(BIN)/ruff format src tests benchmarks examples docs
	$(BIN)/pyright

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) demo build dist
