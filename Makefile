# The verbs of this project. `make` alone lists them.
# Needs only Python 3.11 or newer, make and git; everything else is installed from requirements.lock.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
COMPAT := .venv-compat
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CATALOG ?=
SEEDS ?= 1000
KILLS ?= 1
SEED ?= 1
JOBS ?= 1000
ORDER ?= 1
DATA ?=
PORT_BASE ?=
ONLY ?=

LOCAL_OPTIONS := $(if $(CATALOG),--catalog "$(CATALOG)") $(if $(DATA),--data "$(DATA)")

.DEFAULT_GOAL := help
.PHONY: help setup demo up test lint types check bench chaos soak compat gen lock

help: ## List the verbs.
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(INSTALLED) ## Install everything, pinned by hash, into .venv.

$(INSTALLED): requirements.lock pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; name it with make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Installing into $(VENV) (once; about a minute)..."
	@"$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(INSTALLED) ## Run one AutoSourcing job end to end and stop. CATALOG=dir serves recorded answers.
	@exec $(BIN)/python -m deploy.local demo $(LOCAL_OPTIONS)

up: $(INSTALLED) ## Start the whole stack and keep it up. DATA=dir keeps its data, PORT_BASE=n moves its ports.
	@exec $(BIN)/python -m deploy.local up $(LOCAL_OPTIONS) $(if $(PORT_BASE),--port-base $(PORT_BASE))

test: $(INSTALLED) ## Run every test but the long chaos, soak and bench runs; ORDER=n shuffles them anew.
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart=0 --randomly-seed=$(ORDER) -q

lint: $(INSTALLED) ## Check style, imports between services, and the contracts.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python tools/generate.py --image build/image.binpb
	@$(BIN)/buf lint build/image.binpb --config protos/buf.yaml
	@$(BIN)/buf format --diff --exit-code protos

types: $(INSTALLED) ## Check types, strictly.
	@$(BIN)/mypy

check: lint types test ## Everything that must hold before a change lands.

bench: $(INSTALLED) ## Measure against baselines in one run; writes out/bench.json. ONLY=part for one part.
	@$(BIN)/python -m tests.bench $(ONLY)

chaos: $(INSTALLED) ## Simulate the ledger SEEDS=n times, then kill real processes in KILLS=n runs; from SEED=n on.
	@$(BIN)/python -m tests.chaos --seed $(SEED) --seeds $(SEEDS) --kills $(KILLS)

soak: $(INSTALLED) ## Run JOBS=n jobs on two replicas of everything while processes die, audit them, print figures.
	@$(BIN)/python -m tests.soak --jobs $(JOBS) --seed $(SEED)

compat: $(INSTALLED) $(COMPAT)/.installed ## Drive the sandbox with the unmodified Python package `keepa`, in an environment of its own.
	@$(BIN)/python -m tests.compat $(COMPAT)/bin/python

$(COMPAT)/.installed: tests/compat/requirements.lock
	@echo "Installing the package keepa into $(COMPAT) (once; about a minute)..."
	@"$(PYTHON)" -m venv $(COMPAT)
	@$(COMPAT)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/compat/requirements.lock
	@touch $@

gen: $(INSTALLED) ## Generate protos/gen from the contracts.
	@$(BIN)/python tools/generate.py

lock: ## Renew requirements.lock from pyproject.toml; needs uv.
	@uv pip compile pyproject.toml --all-extras --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --python-version 3.11 --universal --upgrade -q -o requirements.lock
