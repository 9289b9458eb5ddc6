# The commands of this project. They need Python 3.11 or newer and make; everything else is brought by them.
# PYTHON=/path/to/python3 chooses another Python; PORT=9000 another port; docs/running.md has the rest.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# Where none fits, python3 says itself what is wrong.
BASE := $(or $(PYTHON),python3)
PY := .venv/bin/python

.PHONY: help run test check bench soak clean venv venv-dev
help:
	@echo "make run     start Comp with a demo company and print its address"
	@echo "make test    run every test, the browser's too"
	@echo "make check   style, types, import order, migrations, deployment settings"
	@echo "make bench   measure, print a table and write bench.json"
	@echo "make soak    kill, empty, freeze and fill everything under load; compare the figures"
	@echo "make clean   remove the virtual environment and all local data"

venv:
	@$(BASE) comp/local/bootstrap.py local

venv-dev:
	@$(BASE) comp/local/bootstrap.py dev

run: venv
	@exec $(PY) -m comp.local.run

# Tests, benchmark and faults start some hundred processes; without bytecode each would compile everything anew.
test bench soak: export PYTHONDONTWRITEBYTECODE =
test: venv-dev
	@$(PY) -m comp.local.browser
	@$(PY) -m compileall -q comp crediting payouts plans signals
	@exec $(PY) -m pytest -n 3 $(ARGS)

check: venv-dev
	@exec $(PY) -m comp.local.check

bench: venv-dev
	@exec $(PY) -m tests.bench $(ARGS)

soak: venv-dev
	@exec $(PY) -m tests.soak $(ARGS)

clean:
	@if [ -x $(PY) ]; then $(PY) -m comp.local.dev down; COMP_DATA=.comp/test $(PY) -m comp.local.dev down; fi
	rm -rf .venv .comp
