# make demo and make test are all a newcomer needs; each makes .venv first.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# What `make test` installs; more tests run with more of pyproject.toml's extras, e.g. EXTRAS=dev,tensorrt-rtx
EXTRAS ?= dev
DEV = $(VENV)/.with-$(EXTRAS)
PIP = $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test check format bench-ptq bench-start bench-charts bench-telemetry clean

$(VENV)/.core: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

$(DEV): $(VENV)/.core
	$(PIP) install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $@

demo: $(VENV)/.core            ## the whole job on a small built-in model
	$(BIN)/edgetui demo

# One worker more than cores: tests wait for processes of their own a good part of their time.
WORKERS ?= $(shell n=$$(nproc); echo $$((n < 4 ? n + 1 : 4)))

# Tests start some hundred processes; without its compiled files each would compile the package anew.
test: export PYTHONDONTWRITEBYTECODE =
test: $(DEV)             ## every test that this machine can run
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

# TensorRT's signatures for mypy. Without its dependency, TensorRT itself, which no index has whole; what its generator wrote
# wrong is mended: `in` as a parameter's name, and a parameter without a default behind one that has it.
STUBS = .typecheck/stubs
$(STUBS)/.done: $(DEV)
	$(PIP) install --quiet --no-deps --upgrade --target $(STUBS) tensorrt-stubs==10.13.0.35.1
	sed -i -E 's/([(,] ?)in: /\1in_: /g; s/(= None, channel_axis: int)\)/\1 = ...)/' $(STUBS)/tensorrt_bindings/tensorrt.pyi
	@touch $@

check: $(DEV) $(STUBS)/.done  ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	mkdir -p .typecheck && ln -sfn .. .typecheck/edgetui
	MYPYPATH=.typecheck:$(STUBS) $(BIN)/mypy -p edgetui.engine -p edgetui.tui -m edgetui.__main__
	$(BIN)/lint-imports

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.venv-bench/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt --editable . 'nncf==3.4.*'
	@touch $@

bench-ptq: .venv-bench/.done   ## quantization beside onnxruntime's own and nncf: seconds, memory, accuracy, latency
	.venv-bench/bin/python tests/benchmarks/ptq.py $(BENCH_ARGS)

bench-telemetry: $(DEV)  ## the sampler's beat and cost; the monitor beside psutil loops, btop and glances where installed
	$(BIN)/python tests/benchmarks/telemetry.py $(BENCH_ARGS)

clean:
	rm -rf $(VENV) .venv-* .typecheck build *.egg-info

bench-start: $(VENV)/.core     ## first paint beside an empty Textual app
	$(BIN)/python tests/benchmarks/start.py $(BENCH_ARGS)

bench-charts: $(VENV)/.core    ## four live charts beside other ways to draw them: processor time, bytes to the terminal
	$(BIN)/python tests/benchmarks/charts.py $(BENCH_ARGS)
