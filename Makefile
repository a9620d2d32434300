# make help lists the targets. Every command runs in .venv, which make setup creates from requirements.lock.

PYTHON ?= python3
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed.lock
PYTEST_OPTIONS := --numprocesses=$(WORKERS) --dist=loadfile --durations=10
PYTEST := $(BIN)/python -m pytest $(PYTEST_OPTIONS)

.DEFAULT_GOAL := help
.PHONY: help setup install demo web-demo test test-slow test-lowest lint types unit format wheel lock upgrade clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1@\2/p' $(MAKEFILE_LIST) | while IFS=@ read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

setup:  ## create .venv and install requirements.lock into it; does nothing when that is done
	@cmp -s requirements.lock $(INSTALLED) || $(MAKE) --no-print-directory install

# One dependency has no wheel: it is built with the setuptools of the lock, which therefore comes first,
# and not with whatever pip would fetch. Byte-compiling at first import is quicker than compiling all now.
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --no-compile --require-hashes

install:
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else "Python 3.11, 3.12 or 3.13 is needed and this is %d.%d: name another one, as in  make setup PYTHON=python3.12" % sys.version_info[:2])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@awk '/^[^ #]/ { wanted = /^(packaging|setuptools|wheel)==/ } wanted' requirements.lock > $(VENV)/build.lock
	$(PIP_INSTALL) --requirement $(VENV)/build.lock
	$(PIP_INSTALL) --no-build-isolation --use-pep517 --requirement requirements.lock
	@cp requirements.lock $(INSTALLED)

demo: setup  ## train on drawn faces for a few minutes, then show where the pictures are
	@run=runs/drawn_faces; n=1; \
	while [ -e "$$run" ]; do n=$$((n + 1)); run=runs/drawn_faces_$$n; done; \
	$(BIN)/python -m trainers.fit --flagfile=drawn_faces.flags --run_dir="$$run" || exit; \
	printf '\nThree commands to try next:\n'; \
	printf '  %s\n' \
	  "$(BIN)/python -m trainers.sample --model=$$run/model.keras --label=happy --n=16 --out=happy.png" \
	  "$(BIN)/python -m trainers.sample --model=$$run/model.keras --label=all --n=8 --temperature=1.0 --out=all.png" \
	  "$(BIN)/python -m trainers.fit --flagfile=drawn_faces.flags --max_minutes=60 --run_dir=$${run}_hour"

web-demo: setup build/web_demo  ## serve the page of the drawn faces' model at http://localhost:8000; needs npm
	@echo "http://localhost:8000, until Ctrl-C"
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory build/web_demo 8000

build/web_demo: bplf_tf/pretrained_models/drawn_faces/model.keras $(wildcard export/*.py export/page/*)
	rm -rf $@
	$(BIN)/python -m export.web --model=$< --out=$@

test: lint types unit  ## ruff, mypy and every test that is not marked slow

test-slow: setup  ## the tests marked slow
	$(PYTEST) -m slow || [ $$? -eq 5 ]  # 5: no test has the mark

test-lowest: setup  ## make unit with the lowest versions that pyproject.toml allows
	mkdir -p build
	$(BIN)/uv pip compile pyproject.toml --extra dev --resolution lowest-direct --no-config --quiet --output-file build/lowest.txt
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python build/lowest
	$(BIN)/uv pip install --quiet --no-config --python build/lowest/bin/python --requirement build/lowest.txt
	build/lowest/bin/python -m pytest $(PYTEST_OPTIONS) -m "not slow"

lint: setup  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup  ## mypy
	$(BIN)/mypy

unit: setup  ## pytest without the slow tests
	$(PYTEST) -m "not slow"

format: setup  ## let ruff rewrite the sources
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: setup  ## build dist/bplf_tf-*.whl
	$(BIN)/python -m build --wheel --no-isolation

LOCK := $(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --no-config \
  --generate-hashes --strip-extras --no-annotate --no-emit-index-url --no-emit-find-links \
  --custom-compile-command "make lock" --quiet --output-file requirements.lock

lock: setup  ## write requirements.lock anew from pyproject.toml, keeping the versions that still fit
	$(LOCK)

upgrade: setup  ## write requirements.lock anew with the newest versions that pyproject.toml allows
	$(LOCK) --upgrade

clean:  ## remove caches and built packages; .venv and runs stay
	rm -rf build dist bplf_tf.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
