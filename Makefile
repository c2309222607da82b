# Two commands do all of the setup: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# One thread per process: two processes with two threads each on two cores ran ten times slower.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test slow browser check notebooks docs clean

demo: .venv/.run  ## install, then search for networks for scikit-learn's digits for two minutes
	$(BIN)/lepton demo

test: .venv/.dev  ## install, then run the tests
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --durations 5

slow: .venv/.dev  ## install, then run the tests that take minutes
	$(BIN)/python -m pytest -q -m slow tests --durations 5

browser: .venv/.dev  ## install, then test the dashboard in a real notebook in a real browser
	$(BIN)/python -m pytest -q -m browser tests --durations 5

notebooks: .venv/.dev  ## install, then run the notebooks with a small budget; SAVE=1: with the full one, and save their output
	$(BIN)/python notebooks/run.py $(ONLY) $(if $(SAVE),--save)

docs: .venv/.docs  ## install, then build the documentation into site/; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q

check: .venv/.dev  ## style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.run: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/.dev: .venv/.run
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

.venv/.docs: .venv/.dev
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
