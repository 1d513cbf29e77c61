# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Locked requirements carry hashes: what is installed is what was tested.
RUN_LOCK := requirements.lock
DEV_LOCK := requirements-dev.lock

.PHONY: help demo example test check lint format lock bench bench-peers fuzz takeouts clean

help:
	@echo "make demo     install into $(VENV), find or install a browser, show everything once"
	@echo "make example  build the example dossier in examples/dossier"
	@echo "make test     everything: lint, types, all tests with real browsers and outside tools"
	@echo "make check    the quick part (under two minutes)"
	@echo "make bench    measure; docs/performance.md explains the figures"
	@echo "make bench-peers  keep the example post with other tools too, and compare"
	@echo "make fuzz     coverage-guided fuzzing of every parser, SECONDS=30 each"
	@echo "make takeouts take each check out of a copy, demand that its tests turn red"
	@echo "make format   rewrite the code in the project's form"
	@echo "make lock     renew the locked versions"
	@echo "make clean    remove what these commands made"

demo: $(VENV)/.run
	$(BIN)/evidence-kit setup
	$(BIN)/evidence-kit demo

example: $(VENV)/.run
	$(BIN)/evidence-kit setup
	$(BIN)/python examples/build.py

test: $(VENV)/.dev
	$(BIN)/evidence-kit setup
	$(BIN)/python -m tests.outside
	$(BIN)/pytest -n 2 --dist loadgroup

check: $(VENV)/.dev lint
	$(BIN)/pytest -n 2 --dist loadgroup -m "not slow and not browser and not outside"

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev
	$(BIN)/evidence-kit setup
	$(BIN)/python -m benchmarks

# Other tools are installed with pinned versions into the system's temporary folder.
bench-peers: $(VENV)/.dev
	$(BIN)/evidence-kit setup
	$(BIN)/python -m benchmarks.bench_peers

# atheris has wheels for some versions of Python only, so it gets an environment of its own.
SECONDS ?= 30
fuzz: $(VENV)/.dev
	$(BIN)/python -m venv --system-site-packages .cache/atheris
	.cache/atheris/bin/python -m pip install --quiet "atheris>=3,<4"
	PYTHONPATH="$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
		.cache/atheris/bin/python -m tests.fuzz.run $(SECONDS)

takeouts: $(VENV)/.dev
	$(BIN)/python -m tests.takeouts

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV) || { echo "hint: on Debian: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.run: pyproject.toml $(RUN_LOCK) | $(VENV)/bin/python
	$(PIP) install --require-hashes --requirement $(RUN_LOCK)
	$(PIP) install --no-deps --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml $(DEV_LOCK) | $(VENV)/bin/python
	$(PIP) install --require-hashes --requirement $(DEV_LOCK)
	$(PIP) install --no-deps --editable .
	@touch $@ $(VENV)/.run

lock:
	$(PYTHON) -m venv .cache/lock && .cache/lock/bin/python -m pip install --quiet uv
	.cache/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --extra dev --output-file $(DEV_LOCK) pyproject.toml
	.cache/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --constraints $(DEV_LOCK) --output-file $(RUN_LOCK) pyproject.toml
	.cache/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --output-file tests/outside/requirements.lock tests/outside/requirements.in

clean:
	rm -rf $(VENV) .venv-tools .cache evidence-kit-demo build dist
