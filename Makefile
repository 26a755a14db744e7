# Everything here sets itself up: on a machine with python3 (3.11 or newer) and make, `make demo` is the first command.

PYTHON ?= python3
ARGS ?=
WORKERS ?= 2

PROJECTS := $(wildcard hookspecs/pyproject.toml candle_core/pyproject.toml providers/*/pyproject.toml \
	storage_backends/*/pyproject.toml extensions/*/pyproject.toml tests/testkit/pyproject.toml)
EDITABLE := $(patsubst %/pyproject.toml,--editable ./%,$(PROJECTS))
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test lint format bench constraints clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP)  ## make .venv with every distribution editable, the tools and .venv/bin/candle

demo: $(STAMP)  ## collect from the sandbox exchange, stop half way, resume, show what came of it
	@.venv/bin/python examples/demo.py $(ARGS)

test: $(STAMP)  ## run every test; ARGS="-k name" narrows it, WORKERS=0 runs one after the other
	@.venv/bin/python -m pytest --numprocesses $(WORKERS) $(ARGS)

lint: $(STAMP)  ## check rules, format and types
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

format: $(STAMP)  ## apply the format and the safe fixes
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

bench: $(STAMP)  ## measure ingest, decode, read and memory side by side
	@.venv/bin/python -m bench $(ARGS)

# From a clean environment, so that nothing gets pinned that nothing asks for.
constraints:  ## choose the newest versions again and write constraints.txt
	@rm -rf build/constraints && $(PYTHON) -m venv build/constraints
	@build/constraints/bin/python -m pip install -qq hatchling editables
	@build/constraints/bin/python -m pip install -qq --no-build-isolation -r requirements-dev.txt $(EDITABLE)
	@build/constraints/bin/python -m pip freeze --exclude-editable | grep -E '^[A-Za-z0-9._-]+==[^ ]+$$' > constraints.txt
	@rm -rf build/constraints

clean:  ## remove the environment, caches and builds (databases stay)
	@rm -rf .venv build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): $(PROJECTS) requirements-dev.txt constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found: install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1): name another, as in make PYTHON=python3.12" >&2; exit 1; }
	@.venv/bin/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear .venv || \
		{ rm -rf .venv; echo "$(PYTHON) cannot make an environment with pip: on Debian or Ubuntu, apt install python3-venv" >&2; exit 1; }
	@echo "setting up .venv (once; about a minute) ..." >&2
	@.venv/bin/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt hatchling editables
	@.venv/bin/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt --no-build-isolation \
		--requirement requirements-dev.txt $(EDITABLE)
	@touch $@
