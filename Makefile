# Everything a newcomer needs: `make demo`, `make test`, `make check`. Each sets up .venv by itself, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PYTHONUNBUFFERED := 1
export TF_CPP_MIN_LOG_LEVEL := 3
# Commands and tests start Python hundreds of times: what it compiled once, it reads again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test check format lock web clean
help:
	@echo "make demo    train, export, prove, package, serve and compare on drawn photos -> artifacts/demo/report.html"
	@echo "             (on real ones: make demo DATA=dir WEIGHTS=file)"
	@echo "make test    the whole suite        make check   ruff, mypy, docs in step with the code"
	@echo "make web     build the phone's web app for dermport serve (needs Node)"
	@echo "make format  ruff's formatter       make lock    resolve constraints.txt again"

# Installed again only when what is to be installed has changed.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14) and "dermport needs Python 3.10 to 3.13; say which: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(READY)
	$(BIN)/dermport demo --out artifacts/demo $(if $(DATA),--data '$(DATA)') $(if $(WEIGHTS),--weights '$(WEIGHTS)')

test: $(READY)
	$(BIN)/pytest --numprocesses 2 --dist loadgroup --no-loadscope-reorder $(TESTS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m dermport.cli.docs --check

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m dermport.cli.docs

lock:
	$(PYTHON) -m venv build/uv && build/uv/bin/pip install --quiet uv
	build/uv/bin/uv pip compile --quiet --universal --python-version 3.10 --extra dev --no-emit-index-url \
		--no-header --no-annotate --upgrade --output-file constraints.txt pyproject.toml
	build/uv/bin/uv pip compile --quiet --universal --python-version 3.10 --extra jetson --constraint constraints.txt \
		--no-emit-index-url --no-header --no-annotate \
		--output-file dermport/exporters/packages/templates/jetson/requirements.txt pyproject.toml

web:
	cd dermport/mobile_stub/web && npm ci --no-audit --no-fund && node build.mjs

clean:
	rm -rf $(VENV) build dist dermport/mobile_stub/web/dist dermport/mobile_stub/web/node_modules *.egg-info artifacts/demo
