# `make search` and `make test` work on a fresh clone: they set up `.venv` themselves.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin

.PHONY: setup search test lessons pictures requirements audit

$(VENV)/.ready: requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

setup: $(VENV)/.ready

search: setup
	$(RUN)/kerasreg search --data digits --out runs/digits $(ARGS)

test: setup
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lessons: setup
	$(RUN)/python scripts/lessons.py $(ARGS)

# The README's pictures, from the studies of `make search` and scripts/benchmark_search.py.
pictures: setup
	$(RUN)/python scripts/readme_pictures.py $(ARGS)

# The complete pinned set, for every supported Python; made by uv from pyproject.toml.
requirements: setup
	$(RUN)/python -m pip install --quiet --disable-pip-version-check uv
	$(RUN)/uv pip compile pyproject.toml --extra dev --extra ray --universal --no-annotate \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make requirements" \
		--quiet --output-file requirements.txt

# Known vulnerabilities of the pinned versions.
audit: setup
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	.venv-audit/bin/pip-audit --requirement requirements.txt --no-deps --disable-pip
