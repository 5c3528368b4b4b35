# Each goal makes the environment that it needs, with the python3 at hand, and works from a fresh clone.
#
#     make test PYTHON=python3.13     another interpreter
#     make test VENV=/tmp/gigapix     another folder for the environment
#     make test ARGS="-k lzw -x"      arguments for pytest

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

.PHONY: test lint demo bench venv

test: venv
	$(VENV)/bin/python -m pytest -n auto --dist loadfile $(ARGS)

lint: venv
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

demo: venv
	$(VENV)/bin/python demo/demo.py

# The peers are timed in an environment of their own, on the newest Python found unless PYTHON names one.
bench: NEWEST = $(if $(filter file,$(origin PYTHON)),$$(sh .ci/pythons.sh newest),$(PYTHON))
bench:
	@python="$(NEWEST)" && sh .ci/venv.sh .venv-bench "$$python" --group build -r bench/requirements.txt
	.venv-bench/bin/python bench/run.py $(ARGS)

venv:
	@sh .ci/venv.sh "$(VENV)" "$(PYTHON)" --group dev
