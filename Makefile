# Everything happens in a virtual environment inside the checkout, with pip alone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint clean

demo: $(VENV)/installed
	$(BIN)/jovium crystal cs-iv --rs 1.30 --out demo/cs-iv.vasp
	$(BIN)/jovium analyse demo/cs-iv.vasp --compare --out demo/cs-iv
	$(BIN)/jovium analyse examples/fluid_54_rs1.40_3000K.extxyz --out demo/fluid
	$(BIN)/jovium free-energy demo/pair --n 2 --steps 80 --waiting 20 --configurations 64 --lessons 64 --every 10
	$(BIN)/jovium measure demo/pair --batches 8 --looks 16
	$(BIN)/jovium report demo/pair

test: $(VENV)/installed-dev
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/pyright
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile -m "not slow"

lint: $(VENV)/installed-dev
	$(BIN)/ruff check --fix src tests benchmarks
	$(BIN)/ruff format src tests benchmarks
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
