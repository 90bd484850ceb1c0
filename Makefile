# Every target sets up .venv first (instantly, once that is done). PYTHON=... picks the interpreter, PIP_ARGS=...
# goes to pip, PYTEST_ARGS=... to pytest: `make test PYTEST_ARGS="-x tests/envs"`.
SHELL := /bin/bash
BIN := .venv/bin
CODE := agents envs steering videos mazesteer.py tests docs/conf.py
PYTEST_ARGS ?= -n 2 --dist worksteal
export PYTHON PIP_ARGS
# What Python compiles is kept within .venv, even where the environment forbids to keep it: every start of the program
# would compile some 2,800 modules anew.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/.venv/pycache

.PHONY: help setup sweep test lint check bench gallery docs clean

help:
	@echo "make sweep   set up, then sweep every layer of the shipped agent; results in runs/demo"
	@echo "make test    set up, then lint, types and the whole test suite; ends with the ten slowest tests"
	@echo "make lint    lint, types"
	@echo "make check   lint, types, architecture"
	@echo "make bench   speed of the main steps on this machine"
	@echo "make gallery the pictures of README, tutorials and docs/gallery.md"
	@echo "make docs    the docs with search and API reference, in site/; any warning fails"
	@echo "make setup   only make .venv"
	@echo "make clean   remove .venv, caches and build leftovers; runs/ is kept"

setup:
	@bash .ci/setup

sweep: setup
	@$(BIN)/mazesteer layer-sweep --n-levels 32 --out runs/demo

lint: setup
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy

check: lint
	$(BIN)/python -m pytest -q tests/test_architecture.py

# Two workers on two cores: more threads within each would only get in one another's way. One that has nothing left to
# do takes tests from the other.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --durations=10 $(PYTEST_ARGS)

bench: setup
	@$(BIN)/python -m steering.bench
	@$(BIN)/python -m steering.bench_films
	@OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m steering.bench_workbench
	@OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m tests.helpers.workbench_bench

GALLERY := docs/images/gallery
FILM := $(BIN)/mazesteer video --level 26 --crop --size 200 --horizon 24
gallery: setup
	$(BIN)/mazesteer video --level 8 --conditions clean,subtract,no_cheese --crop --size 224 --horizon 64 \
		--out docs/images/trick.gif
	$(BIN)/python -m tests.helpers.workbench_film docs/images
	$(BIN)/mazesteer field --level 8 --out docs/images/tutorials/field.png
	$(FILM) --conditions clean,subtract,no_cheese --out $(GALLERY)/blinded.gif
	$(FILM) --site block3.res2.resadd --out $(GALLERY)/too-deep.gif
	$(FILM) --heat vector --out $(GALLERY)/vector.gif
	$(BIN)/mazesteer field --level 26 --out $(GALLERY)/field.png
	$(BIN)/mazesteer layer-sweep --levels 26,54,92,193 --conditions subtract --episodes 0 --out runs/gallery
	$(BIN)/mazesteer film-sweep runs/gallery --level 26 --episodes 1 --size 200 --crop --seconds 1.5 \
		--out $(GALLERY)/sites.gif

# One complaint (a link that leads nowhere, a public name without an entry) fails it; all of them are listed.
SITE ?= site
docs: setup
	$(BIN)/python -m sphinx -W --keep-going -q -b html -d $(SITE)/.doctrees docs $(SITE)
	@echo "open $(SITE)/index.html"

clean:
	rm -rf .venv site build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "runs/ is kept: it holds your results; delete it by hand"
