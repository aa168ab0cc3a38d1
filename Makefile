# One set-up for everybody: .venv from the lock file. Every target makes what it needs.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# A place that offers CPU builds of torch, such as https://download.pytorch.org/whl/cpu; without one pip takes its default.
TORCH_INDEX ?=
# A folder with a shop's own export; without it the demo simulates a small shop.
DATA ?=
# Processes that share the tests, each file whole to one of them.
TEST_PROCESSES ?= 2
# Where the demo's shop is made; it is made anew each time.
SHOP ?= build/demo-shop

BENCHMARKS := simulate budget calibration intake catalogue data incremental identities point_in_time refresh second_shop leakage crash concurrency compaction backfill engines quality models oracle exposed unseen sasrec training

.PHONY: bench demo test lint types contracts tests slow-tests docs install lock clean
.DEFAULT_GOAL := demo

demo: .venv/ready
	$(BIN)/endcap demo --shop $(SHOP) $(if $(DATA),--data $(DATA))

test: lint types contracts tests

install: .venv/ready

# torch first and by its exact version: anything that asks for a newer one would bring gigabytes of CUDA.
.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint requirements.lock \
		$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[dev]'
	touch $@

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/ready
	$(BIN)/mypy

contracts: .venv/ready
	$(BIN)/lint-imports

# The S3 server of the tests, in an environment of its own: it needs versions that the lock file excludes.
build/s3/ready: tests/s3_server.lock
	$(PYTHON) -m venv build/s3
	build/s3/bin/python -m pip install --quiet --constraint tests/s3_server.lock 'moto[s3]' flask flask-cors
	touch $@

# The library that `benchmarks.sasrec` compares with, likewise.
build/rectools/ready: benchmarks/rectools.lock
	$(PYTHON) -m venv build/rectools
	build/rectools/bin/python -m pip install --quiet --constraint benchmarks/rectools.lock \
		$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch==2.13.0
	build/rectools/bin/python -m pip install --quiet --constraint benchmarks/rectools.lock 'rectools[torch]'
	touch $@

# Unit tests, doctests, the tutorial and the README, and what the docs claim about the code.
tests: .venv/ready build/s3/ready
	$(BIN)/pytest --numprocesses $(TEST_PROCESSES) --dist loadfile -m "not slow"

# Kills, whole shops, buckets, Spark: what takes long.
slow-tests: .venv/ready build/s3/ready
	$(BIN)/pytest --numprocesses $(TEST_PROCESSES) --dist loadfile -m slow

# Every benchmark at full size, some hours on 2 cores; benchmarks/README.md is made from their figures.
bench: .venv/ready build/s3/ready
	-$(MAKE) build/rectools/ready # without it that one library is not measured
	mkdir -p build/bench
	for name in $(BENCHMARKS); do $(BIN)/python -m benchmarks.$$name --out build/bench/$$name.json || exit 1; done
	$(BIN)/python -m benchmarks.table build/bench

# Writes the parts of the docs that are made from the code; the tests compare them.
docs: .venv/ready
	$(BIN)/python docs/generate.py

# What the lock pins was resolved here, in an environment of its own.
lock:
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet torch==2.13.0
	build/lock/bin/python -m pip install --quiet '.[dev]'
	(echo "# Every version that Endcap is tested with, on Python 3.11. Used as pip constraints; made by 'make lock'."; \
		build/lock/bin/python -m pip freeze --exclude endcap --exclude setuptools | sed 's/+cpu$$//; s/ @ .*//') > requirements.lock

clean:
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
