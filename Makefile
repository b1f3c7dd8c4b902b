# heap-exporter. `make help` lists the targets.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DOCS_VENV := .docs-venv
DEMO   := $(VENV)/.demo
READY  := $(VENV)/.ready
# On two cores four: many tests wait for a process or for samples. The tests have the lowest priority, as the
# comparisons of snapshots have: on a busy machine these would not run at all next to tests with a higher one.
WORKERS ?= 4
# The tests start hundreds of interpreters: each would compile anew what it imports.
unexport PYTHONDONTWRITEBYTECODE
NATIVE := setup.py $(wildcard $(foreach folder,_native _kernels _allocations,heap_exporter/$(folder)/*.[ch]))

.PHONY: help demo test compiled-tests test-long check servers browser oracles matrix dependency-versions lowest-versions native asan valgrind bench bench-walker bench-lost bench-fleet bench-analysis bench-allocations bench-large score score-kinds train-detector soak alerts-table dashboards docs docs-site pictures clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(DEMO): pyproject.toml $(NATIVE)
	@$(PYTHON) -c 'import sys; sys.exit("heap-exporter needs Python 3.11 or newer: run PYTHON=python3.12 make …" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --no-compile --editable '.[cli]' # an import compiles what it needs
	@touch $@

$(READY): $(DEMO)
	$(BIN)/python -m pip install --quiet 'pip>=25.1'
	$(BIN)/python -m pip install -qq --no-compile --group dev
	@touch $@

demo: $(DEMO) ## run a shop that leaks, and show how the leak is found (ARGS='--once', ARGS='--healthy')
	$(BIN)/heap-exporter demo $(ARGS)

test: $(READY) ## run the tests; those that need a server run where it is installed (make servers)
	nice -n 19 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

compiled-tests: $(READY)
	$(BIN)/python -m pytest --collect-only -qq > /dev/null # each worker of `make test` would compile them for itself

test-long: $(READY) ## run the tests that take minutes, and those of drawn values with hundreds of values
	$(BIN)/python -m pip install -qq --group docs-examples --group app-servers
	$(BIN)/python -m pytest -m "long or hypothesis" --hypothesis-profile=thorough $(ARGS)

check: $(READY) ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

native: $(READY) ## build the walker in C with every warning an error
	HEAP_EXPORTER_BUILD=strict $(BIN)/python -m pip install -qq --editable . --no-deps --force-reinstall

asan: $(READY) ## walk, analyse and sample allocations under AddressSanitizer and UndefinedBehaviorSanitizer
	$(BIN)/python -m tests.native.checked asan

valgrind: $(READY) ## walk, analyse and sample allocations under valgrind
	$(BIN)/python -m tests.native.checked valgrind

servers: $(READY) ## install Prometheus and Alertmanager (new, and Debian 12's) and VictoriaMetrics in .servers/ (apt, no root), SeaweedFS in .venv/
	$(PYTHON) tests/servers/install.py
	$(BIN)/python -m pip install -qq --group servers

browser: ## install Chromium and its driver in the system (apt, root)
	$(PYTHON) tests/servers/install.py browser

oracles: ## install DevTools' snapshot reader, memlab and pprof in .oracles/ (npm, PyPI, apt; no root)
	$(PYTHON) -m tests.oracles.install

matrix: ## install and test on CPython 3.11 to 3.14, with and without a compiler
	-$(PYTHON) -m tests.matrix.python314 make
	$(PYTHON) -m tests.matrix.run

dependency-versions: $(READY) ## test with the lowest versions of all dependencies, and with the newest OpenTelemetry (installs both into .pythons/)
	$(BIN)/python -m tests.matrix.dependency_versions $(ARGS)

lowest-versions: $(READY) ## test with the lowest versions of all dependencies, as CI does
	$(BIN)/python -m tests.matrix.dependency_versions lowest

bench: $(READY) ## measure what the agent, a scrape and a judgement cost a service, and their memory (some minutes)
	$(BIN)/python -m tests.bench.memory
	$(BIN)/python -m tests.bench.judging
	$(BIN)/python -m tests.bench.scrape
	$(BIN)/python -m tests.bench.overhead $(ARGS)

bench-walker: $(READY) ## measure a census and a snapshot, and other tools for comparison (some minutes)
	$(BIN)/python -m pip install -qq --group bench
	$(BIN)/python -m tests.bench.walker $(ARGS)

bench-lost: $(READY) ## measure the search for lost memory
	$(BIN)/python -m tests.bench.lost $(ARGS)

bench-fleet: $(READY) ## measure scrapes of 64 processes on one port, and the end of the process that serves it (some minutes)
	$(BIN)/python -m tests.bench.fleet $(ARGS)

bench-analysis: $(READY) oracles ## measure the analysis of a snapshot, and DevTools, memlab and igraph for comparison (some minutes)
	$(BIN)/python -m tests.bench.analysis $(ARGS)

bench-allocations: $(READY) ## measure what sampling allocations costs, and other tools for comparison (some minutes)
	$(BIN)/python -m pip install -qq --group bench-allocations
	$(BIN)/python -m tests.bench.allocations $(ARGS)

bench-large: $(READY) ## measure how soon a leak in a heap of ten million objects is reported (17 minutes, 2 GiB)
	$(BIN)/python -m tests.bench.large $(ARGS)

score: $(READY) ## measure how well the detector separates leaks from healthy series: made ones of its training's corpus, new to it (some minutes)
	$(BIN)/python -m training.score $(ARGS)

score-kinds: $(READY) ## the same on tests/corpus, by kind of series (some minutes)
	$(BIN)/python -m tests.corpus.score $(ARGS)

train-detector: $(READY) ## train the detector's leak model on training/corpus, and write it (20 minutes)
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m training $(ARGS)

soak: $(READY) ## check that the exporter's own memory stays flat: 20 minutes at 50 times the speed, all features on
	$(BIN)/python -m tests.bench.soak $(ARGS)

alerts-table: $(READY) ## print when each alert fires on each shape of memory, and write the table into the runbook
	$(BIN)/python -m alerts.tests.table --write

dashboards: $(READY) ## regenerate the Grafana dashboards
	$(BIN)/python -m dashboards

docs: $(READY) ## generate the tables of metrics and settings and the Python API in docs/ from the code
	$(BIN)/python docs/tables.py

docs-site: ## build the documentation as a site in site/
	[ -x $(DOCS_VENV)/bin/zensical ] || $(PYTHON) -m venv $(DOCS_VENV)
	$(DOCS_VENV)/bin/python -m pip install -qq 'pip>=25.1'
	$(DOCS_VENV)/bin/python -m pip install -qq --group docs
	$(DOCS_VENV)/bin/zensical build --clean --strict
	@rm -f site/*.py # the programs that make the pages

pictures: $(READY) ## take the README's pictures from real runs (make browser first)
	$(BIN)/python -m docs.pictures

clean: ## remove everything that the other targets created
	rm -rf $(VENV) $(DOCS_VENV) site .servers .pythons .oracles build dist *.egg-info heap_exporter/*.so
