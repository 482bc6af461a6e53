# make demo and make test are all a newcomer needs; each makes .venv first.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# What `make test` installs; more tests run with more of pyproject.toml's extras, e.g. EXTRAS=dev,tensorrt-rtx
EXTRAS ?= dev
DEV = $(VENV)/.with-$(EXTRAS)
PIP = $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help demo test test-long test-all test-rare check schemas docs docs-serve man pictures format bench-ptq bench-screen bench-telemetry bench-lean bench-stages bench-statistics bench-sweeps bench-energy bench-watched bench-repeat bench-magnitudes bench-fleet bench-monkey bench-planted zoo zoo-train clean

help:                          ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/.core: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

$(DEV): $(VENV)/.core
	$(PIP) install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $@

demo: $(VENV)/.core            ## the whole job on a small built-in model
	$(BIN)/edgetui demo

# FILES: of these alone. Only files that have long tests are read for them: reading all takes each worker ten seconds.
# Twice as many workers as cores on a small machine: tests wait for processes of their own a good part of their time.
WORKERS ?= $(shell n=$$(nproc); echo $$((n < 3 ? 2 * n : 4)))

# Tests start some hundred processes; without its compiled files each would compile the package anew.
test test-long test-all test-rare: export PYTHONDONTWRITEBYTECODE =
test: $(DEV)                   ## every test that this machine can run, but for the long ones
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not (long or rare)" $(FILES) $(PYTEST_ARGS)

test-long: $(DEV)              ## real builds, trainings, runs broken in every stage, newcomers' copies
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "long and not rare" $(or $(FILES),$(shell grep -rl mark.long tests/e2e tests/tui tests/engine --include='test_*.py')) $(PYTEST_ARGS)

test-all: $(DEV)               ## both of these in one go
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not rare" $(FILES) $(PYTEST_ARGS)

test-rare: $(DEV)              ## further variants of what the long tests do once, seven minutes: before a release
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m rare $(shell grep -rl mark.rare tests --include='test_*.py') $(PYTEST_ARGS)

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

schemas: $(VENV)/.core         ## the JSON Schemas of what commands print, anew from the values
	$(BIN)/python -m edgetui.engine.report.json_schemas

$(VENV)/.with-docs: $(VENV)/.core
	$(PIP) install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@

docs: $(VENV)/.with-docs       ## the book, into build/book/index.html; a link that leads nowhere fails
	NO_MKDOCS_2_WARNING=true $(BIN)/python -m mkdocs build --strict --quiet

docs-serve: $(VENV)/.with-docs ## the book on http://127.0.0.1:8000, anew with each change
	NO_MKDOCS_2_WARNING=true $(BIN)/python -m mkdocs serve

$(VENV)/.for-pictures: $(VENV)/.core
	$(PIP) install --quiet --constraint constraints.txt --editable '.[fleet]'
	@touch $@

pictures: $(VENV)/.for-pictures ## the book's pictures, from the real program: a quarter of an hour; PICTURES="looks data" makes parts
	$(BIN)/python docs/make/pictures.py $(PICTURES)

man: $(VENV)/.core             ## the man page docs/edgetui.1, anew from the commands
	$(BIN)/python docs/make/man.py

format: $(DEV)                 ## format, and mend what the linter can
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

clean:                         ## remove environments and what was built
	rm -rf $(VENV) .venv-* .typecheck build *.egg-info

# What the screen is measured beside, in an environment of its own: each wants other versions than ours. btop comes with the system.
.venv-peers/.done: Makefile
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip --disable-pip-version-check install --quiet 'harlequin==2.17.*' 'memray==1.20.*' 'textual-plotext==1.*'
	@touch $@

# BENCH_ARGS="keys lists" measures parts; see tests/benchmarks/screen.py
bench-screen: $(VENV)/.core .venv-peers/.done  ## all that the screen must reach, beside peers: first paint, charts, idle, keys, lists, reattaching, memory
	PYTHONPATH=tests/support $(BIN)/python tests/benchmarks/screen.py $(BENCH_ARGS)

bench-lean: $(VENV)/.core      ## peak memory of every stage, of models of 102 and 400 MB
	$(BIN)/python tests/benchmarks/lean.py $(BENCH_ARGS)

bench-stages: $(VENV)/.core    ## what a run costs beyond the work of its stages, beside other checkouts
	$(BIN)/python tests/benchmarks/stages.py $(BENCH_ARGS)

bench-statistics: $(VENV)/.core   ## by simulation: intervals hold what they say, and verdicts are true; the timed loop's own cost
	PYTHONPATH=tests/support $(BIN)/python tests/benchmarks/intervals.py $(BENCH_ARGS)

bench-sweeps: $(VENV)/.core    ## by simulation: wrong answers of sweeps by rounds, blocks and intervals, while the board drifts
	PYTHONPATH=tests/support $(BIN)/python tests/benchmarks/sweep_rounds.py $(BENCH_ARGS)

bench-energy: $(VENV)/.core    ## real runs on a laid-out board: joules beside true ones, of every source, of sensors that fail
	PYTHONPATH=tests/support $(BIN)/python tests/benchmarks/energy.py $(BENCH_ARGS)

bench-watched: $(VENV)/.core   ## what a screen at 4 Hz and the sampler cost who is measured beside them
	PYTHONPATH=tests/support $(BIN)/python tests/benchmarks/watched.py $(BENCH_ARGS)

bench-repeat: $(VENV)/.core    ## the same run ten times: whether its ratios lie within their intervals, and how wide those are
	$(BIN)/python tests/benchmarks/repeat.py $(BENCH_ARGS)

bench-monkey: $(DEV)           ## 20 000 random keys, clicks and resizes over all screens: memory after each thousand
	EDGETUI_MONKEY=20000 $(BIN)/python -m pytest -q -s -m long tests/tui/screen/test_thousands_of_moves.py

bench-planted: $(DEV)          ## fragile blocks of three networks, 20 seeds each: do they stand first?
	EDGETUI_PLANTED=20 $(BIN)/python -m pytest -q -m long tests/engine/work/test_planted_blocks.py

bench-fleet: $(DEV)            ## boards on loopback: what waiting costs, a large model, 300 runs in a storm (EXTRAS=dev,fleet)
	PYTHONPATH=tests/support $(BIN)/python tests/benchmarks/fleet.py $(BENCH_ARGS)

zoo: $(VENV)/.core             ## networks of the zoo, untrained, as ONNX files in build/zoo
	mkdir -p build/zoo
	for name in $$($(BIN)/python -m edgetui.engine.network.zoo --list); do \
	  $(BIN)/python -m edgetui.engine.network.zoo $$name --out build/zoo/$$name.onnx || exit 1; done

.venv-zoo/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-zoo
	.venv-zoo/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt --editable '.[train,text]' scikit-learn
	@touch $@

# SET=digits, cifar10, sst2, bccd or people; ZOO_ARGS="resnet20 --epochs 40" trains one, longer
zoo-train: .venv-zoo/.done     ## the trained networks of profiles/zoo anew, of ../shared/data; SET says which
	.venv-zoo/bin/python tests/tools/train_zoo.py $(or $(SET),digits) $(ZOO_ARGS)
bench-magnitudes: $(VENV)/.core ## the smallest of 25 million weights beside numpy.partition
	$(BIN)/python tests/benchmarks/magnitudes.py $(BENCH_ARGS)

