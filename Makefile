# All of it happens in .venv, made on first use; only `pip install` needs the network.
#   make demo                          enlarge the bundled sample into out/
#   make demo VIDEO=my.mp4             enlarge a video of yours (ARGS="--scale 2" for more options)
#   make demo PYTHON=python3.12        build .venv with another Python (3.11 or newer)
#   make demo TORCH_INDEX=URL          let pip find PyTorch at this package index too

PYTHON ?= python3
VENV ?= .venv
VIDEO ?= src/upreel/sample/sample.mp4
ARGS ?=
TORCH_INDEX ?=

BIN = $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.PHONY: demo test check slow bench clean

demo: $(VENV)/.upreel
	@mkdir -p out
	@name=$$(basename "$(VIDEO)"); stem=out/$${name%.*}-upreel; \
	case "$$name" in *.mp4) end=mp4 ;; *) end=mkv ;; esac; \
	set -x; $(BIN)/upreel upscale "$(VIDEO)" "$$stem.$$end" --preview "$$stem.png" --overwrite $(ARGS)

test: $(VENV)/.upreel-test
	$(BIN)/pytest -m "not slow and not gpu"

slow: $(VENV)/.upreel-test
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto -m "slow or gpu"

check: $(VENV)/.upreel-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_layers.py

bench: $(VENV)/.upreel
	$(BIN)/upreel bench $(ARGS)

clean:
	rm -rf $(VENV) out build .mypy_cache .ruff_cache .pytest_cache

$(VENV)/bin/pip:
	@command -v $(PYTHON) >/dev/null || { echo "upreel: expected Python 3.11 or newer as '$(PYTHON)', found no such command: install it (Debian, Ubuntu: sudo apt install python3 python3-venv) or name yours: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) scripts/check_python.py
	$(PYTHON) -m venv $(VENV)

# A stamp is renewed when the list of packages changes; the code itself is used where it lies.
$(VENV)/.upreel: $(VENV)/bin/pip pyproject.toml constraints.txt
	$(INSTALL) -e .
	@touch $@

$(VENV)/.upreel-test: $(VENV)/.upreel
	$(INSTALL) -e ".[test]"
	@touch $@

$(VENV)/.upreel-dev: $(VENV)/.upreel-test
	$(INSTALL) -e ".[dev]"
	@touch $@
