# `make run` and `make test` are all that a newcomer needs.
.PHONY: help run test check bench fuzz simulate soak lock format clean
.DEFAULT_GOAL := help
# The distribution's Python, where there is one: it is built with profile-guided optimisation, which is a tenth of a charging request,
# and it is what a service runs by (docs/service.md).
PYTHON ?= $(shell /usr/bin/python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo /usr/bin/python3 || echo python3)
BIN := .venv/bin
# What is installed is compiled as it is first imported: a third of the installing would go to modules that nobody imports.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
# Stores of the tests are in memory where it has room for them: a kill takes as little from there as from a disk, and
# test_one_fsync sees what a disk would be asked.
MEMORY := $(shell findmnt -nrbo OPTIONS,AVAIL -t tmpfs /dev/shm 2>/dev/null | awk '$$1 !~ /noexec/ && $$2 > 2e9 {print "TMPDIR=/dev/shm"; exit}')
PYTEST := $(MEMORY) $(BIN)/python -m pytest -q
WORKERS ?= 3
SEEDS ?= 200
# Tests with processes wait two thirds of their time: for a link that comes back, a second of somebody's clock. The longest stand
# first, and thousands of short ones last, so that no core waits for the end of another's.
WAITING ?= 5
PROCESSES := tests/session/test_readme.py tests/session/test_openapi_schemathesis.py tests/simulation tests/session tests/faults tests/interop tests/browser tests/property tests/fuzz tests/lane

help:   ## what each target is for
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

.venv/run.stamp: requirements/run.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --require-hashes -r requirements/run.txt
	$(PIP) --no-deps --no-build-isolation -e .
	touch $@

.venv/develop.stamp: requirements/develop.txt .venv/run.stamp
	$(PIP) --require-hashes -r requirements/develop.txt
	touch $@

.venv/fuzz.stamp: requirements/fuzz.txt .venv/develop.stamp
	$(PIP) --require-hashes -r requirements/fuzz.txt
	touch $@

.venv/peers.stamp: tests/install_peers.sh
	bash tests/install_peers.sh
	mkdir -p .venv
	touch $@

run: .venv/run.stamp   ## the gateway with the simulated host network beside it
	$(BIN)/tpo simulate network --with-gateway

# pytest compiles each test with its asserts rewritten, 7 s of CPU for all: once here, and not by each of the workers at once.
.venv/compiled.stamp: .venv/develop.stamp $(shell find tests -name '*.py' -newer .venv/compiled.stamp 2>/dev/null)
	$(PYTEST) --collect-only -qq $(PROCESSES) >$@.log || { tail -40 $@.log; exit 1; }
	touch $@

test:   ## everything: checks, real peers, kills, bad input
	@$(MAKE) --no-print-directory --jobs 2 .venv/develop.stamp .venv/peers.stamp
	@$(MAKE) --no-print-directory check .venv/compiled.stamp
	$(PYTEST) -n $(WAITING) --dist loadgroup --durations 20 $(PROCESSES)

check: .venv/develop.stamp   ## lint, types, contracts and unit tests, in under a minute
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -n $(WORKERS) tests/unit

# What `make bench` takes: CTF=path of a load program (else ours, in Python); REFERENCE='command of another server', {port} being where
# it is to listen; LINES=1000,300000; STORES=sqlite,postgresql; LANES=process,thread; ROUNDS, SECONDS (each);
# PARTS='charging texts sims bills month proof'; ROWS=10000000: entries whose proof is timed; RECORD=1: write the figures into
# docs/performance.md. LINES and SECONDS count on make's own command line alone: a terminal's shell has variables of these names.
bench: .venv/develop.stamp   ## charging requests and texts a second beside references in the same run: CTF=path REFERENCE='command' LINES=1000,300000 RECORD=1
	$(BIN)/python -m tests.bench $(PARTS) $(if $(CTF),--ctf '$(CTF)') $(if $(REFERENCE),--reference '$(REFERENCE)') \
	  $(if $(filter command,$(origin LINES)),--lines $(LINES)) $(if $(STORES),--stores $(STORES)) $(if $(LANES),--lanes $(LANES)) \
	  $(if $(ROWS),--rows $(ROWS)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(filter command,$(origin SECONDS)),--seconds $(SECONDS)) $(if $(filter 1,$(RECORD)),--record)

fuzz: .venv/fuzz.stamp   ## fuzzing guided by coverage, a minute a target, then longer runs of the codecs under random bytes
	$(BIN)/python -m tests.fuzz.guided all $${TPO_FUZZ_SECONDS:-60}
	HYPOTHESIS_PROFILE=long $(PYTEST) tests/fuzz --timeout 3600

simulate: .venv/develop.stamp   ## worlds of virtual time that seeds decide, faults and all: SEEDS=200
	$(MEMORY) $(BIN)/python -m tests.simulation --seeds $(SEEDS) --workers $(WORKERS)

soak: .venv/develop.stamp .venv/peers.stamp   ## hundreds of kills under load, thousands of simulated worlds, long attacks on what leaves about giving
	TPO_KILLS=$${TPO_KILLS:-300} $(PYTEST) tests/faults --timeout 7200
	TPO_LANE=thread TPO_KILLS=$${TPO_KILLS:-300} $(PYTEST) tests/faults --timeout 7200 --ignore tests/faults/test_lane_killed.py
	TPO_SEEDS=$${TPO_SEEDS:-3000} $(PYTEST) tests/simulation
	HYPOTHESIS_PROFILE=soak $(PYTEST) tests/property tests/interop/test_smpp_codec_peers.py --timeout 7200
	TPO_OUTSIDER_SECONDS=$${TPO_OUTSIDER_SECONDS:-300} $(PYTEST) tests/property/test_who_gave_to_whom.py --timeout 14400

lock:   ## renew requirements/*.txt from pyproject.toml (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --all-extras pyproject.toml requirements/build.in -o requirements/run.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --all-extras --group development pyproject.toml requirements/build.in -o requirements/develop.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group pyproject.toml:fuzzing -o requirements/fuzz.txt

format: .venv/develop.stamp   ## rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:   ## forget the virtualenv and every cache
	rm -rf .venv .mypy_cache .ruff_cache .hypothesis tests/.work
