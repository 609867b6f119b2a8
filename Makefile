# Everything runs in .venv, made by uv from uv.lock; uv itself is brought when it is missing.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
PYTHON ?= python3
RUN := $(UV) run --no-sync
# Where tests find what they import by its bare name, as pytest finds it.
TESTS_FIND := .:tests:tests/unit:tests/screens:tests/engine:tests/cluster:tests/web:benchmarks
# Without compiled modules every start of torch compiles 3,000 of them: 17 s of processor, not 7.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo test check pythons docs format pictures benchmarks clean

help:  ## what there is to make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1|/' | column -t -s '|'

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet uv

.venv/.complete: pyproject.toml uv.lock | $(filter .uv/bin/uv,$(UV))
	$(UV) sync --frozen --all-extras --group dev
	@touch $@

setup: .venv/.complete  ## the environment, with every extra

demo: setup  ## make shapes, train a tiny model on them, watch it
	$(RUN) batman demo

test: setup  ## every test that this machine can run
# As many workers as tests/conftest.py reckons for cores and memory, and the groups in its order.
# What fails beside the others is run once more by itself, as they share few cores; what fails then, failed.
	@echo $(RUN) pytest -n auto --dist loadgroup --no-loadscope-reorder; \
	$(RUN) pytest -n auto --dist loadgroup --no-loadscope-reorder; code=$$?; \
	if [ $$code -ne 1 ]; then exit $$code; fi; \
	echo "Once more, by itself, what failed above:"; $(RUN) pytest -n 1 --dist loadgroup --last-failed --maxfail 1

check: setup  ## lint, format, types, who imports whom, docs
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
# Folder by folder, as each has a conftest; what the run before learnt of the product is taken.
	@for tests in "tests/*.py tests/unit" tests/screens tests/engine tests/cluster tests/web tests/gpu; \
	do MYPYPATH=$(TESTS_FIND) $(RUN) mypy --explicit-package-bases $$tests || exit 1; done
	$(RUN) lint-imports --no-cache
	NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build --strict --quiet --site-dir site

pythons: setup  ## the base install on each other Python that is declared and on this machine
	$(RUN) python scripts/other_pythons.py

docs: setup  ## the documentation, served on this machine
	$(RUN) mkdocs serve

format: setup  ## put the code in order
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

pictures: setup  ## the pictures of every screen in docs/
	$(RUN) python scripts/screenshots.py docs/pictures
	$(RUN) python scripts/label_pictures.py docs/pictures

benchmarks: setup  ## every figure with its limit; fails when one is beyond it, after all are measured
	@over=""; for file in benchmarks/*.py; do echo "== $$file"; $(RUN) python $$file || over="$$over $$file"; done; \
	if [ -n "$$over" ]; then echo "beyond a limit:$$over"; exit 1; fi

clean:  ## what was built here
	rm -rf .venv .uv .pythons site demo .mypy_cache .ruff_cache .pytest_cache
