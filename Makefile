# Each recipe makes the environment it needs; a stamp per extra keeps later calls fast.
# The package is installed in place, so only a change of pyproject.toml installs again.

PYTHON ?= python3
PYTHONS = $(if $(filter python3,$(PYTHON)),python3 python3.13 python3.12 python3.11,$(PYTHON))
USABLE = import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PINS = import sys, tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"][sys.argv[1]])
INSTALL = -m pip install -q --disable-pip-version-check
BENCH = .venv-bench/bin

.PHONY: demo figures doc test soak mutations bench regimes lint format release-check clean
.NOTPARALLEL:

demo: .venv/.extra-plot
	.venv/bin/python examples/quickstart.py

figures: .venv/.extra-plot
	.venv/bin/python examples/make_figures.py

doc: .venv/.extra-doc
	.venv/bin/python -m sphinx -W --keep-going doc doc/_build/html
	.venv/bin/python doc/check_links.py doc/_build/html

# Two processes share the tests, file by file: a file's cluster is started once.
test: .venv/.extra-test
	.venv/bin/python -m pytest -n 2 --dist loadfile

# Random fits for so many minutes; signals and faults of clusters in proportion, 1,000 and 50 in an hour.
MINUTES ?= 60
soak: .venv/.extra-test
	SOAK_MINUTES=$(MINUTES) .venv/bin/python -m pytest -m soak

# Faults put into a copy of the package: every one has a test that sees it.
mutations: .venv/.extra-test
	.venv/bin/python tests/mutations

# The suites on a small selection, against the peers: table and curves in benchmarks/results, README's table.
bench: .venv-bench/.ready
	rm -f benchmarks/results/*.parquet
	for suite in elastic_net logistic; do \
	    OPENBLAS_NUM_THREADS=1 $(BENCH)/benchopt run benchmarks/$$suite --config benchmarks/$$suite/small.yml \
	        --no-cache --no-plot --no-display --output $(CURDIR)/benchmarks/results/$$suite.parquet || exit 1; \
	done
	$(BENCH)/python benchmarks/report.py benchmarks/results
	$(BENCH)/python doc/site_parts.py

# Figures and tables of the page "When asynchrony pays"; wants the machine for itself.
regimes: .venv/.extra-plot
	OPENBLAS_NUM_THREADS=1 .venv/bin/python benchmarks/regimes.py idle busy crowded equal unequal --out doc/images
	OPENBLAS_NUM_THREADS=1 .venv/bin/python benchmarks/scaling.py --out doc/images
	OPENBLAS_NUM_THREADS=1 .venv/bin/python benchmarks/scaling_costs.py --compare --out doc/images/scaling_costs.csv
	OPENBLAS_NUM_THREADS=1 .venv/bin/python benchmarks/scaling_policies.py --costs doc/images/scaling_costs.csv \
	    --out doc/images

lint: .venv-lint/.ruff
	.venv-lint/bin/ruff check
	.venv-lint/bin/ruff format --check
	.venv-lint/bin/python tests/check_types.py

format: .venv-lint/.ruff
	.venv-lint/bin/ruff check --fix
	.venv-lint/bin/ruff format

# Archives as they would be uploaded, in environments of their own; uploads nothing.
release-check: .venv-release/.ready
	.venv-release/bin/python tests/check_release.py

clean:
	rm -rf .venv .venv-bench .venv-lint .venv-release build dist doc/_build doc/auto_examples doc/generated *.egg-info .pytest_cache .ruff_cache .hypothesis benchmarks/*/__cache__
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/.made .venv-bench/.made .venv-lint/.made .venv-release/.made:
	@for python in $(PYTHONS); do \
	    if $$python -c '$(USABLE)' 2>/dev/null; then \
	        $$python -m venv $(@D) && touch $@; exit; \
	    fi; \
	done; \
	echo 'sk_asyncprox needs Python 3.11 or newer with venv: name one by make PYTHON=...' >&2; \
	exit 1

.venv/.extra-%: .venv/.made pyproject.toml
	.venv/bin/python $(INSTALL) -e '.[$*]'
	@touch $@

# The tools alone, at the versions that the extra `lint` pins, without the package.
.venv-lint/.ruff: .venv-lint/.made pyproject.toml
	@.venv-lint/bin/python $(INSTALL) $$(.venv-lint/bin/python -c '$(PINS)' lint)
	@touch $@

.venv-release/.ready: .venv-release/.made pyproject.toml
	@.venv-release/bin/python $(INSTALL) $$(.venv-release/bin/python -c '$(PINS)' release)
	@touch $@

# The peers need an environment of their own: they are compared with, never depended on.
.venv-bench/.ready: .venv-bench/.made pyproject.toml
	$(BENCH)/python $(INSTALL) -e '.[bench]'
	@touch $@
