# `make demo` and `make test` work on a fresh machine with Python 3.11 and pip; everything else builds on them.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXTRAS := $(VENV)-extras
LOWEST := $(VENV)-lowest
PYTEST := python -m pytest --numprocesses 2 --dist worksteal

.PHONY: demo test test-slow test-lowest test-extras lint lint-js node types docs wheel-tree release-check gate bench weights clean

demo: $(STAMP)
	$(BIN)/vssbench run bench.yaml --output results/demo-$$(date +%Y%m%d-%H%M%S)

test: $(STAMP)
	$(BIN)/$(PYTEST)

test-slow: $(STAMP)
	$(BIN)/$(PYTEST) -m slow

# The plain tests with the oldest dependencies that pyproject.toml allows.
test-lowest:
	test -d $(LOWEST) || $(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/pip install --quiet --constraint constraints-lowest.txt --editable '.[train,test]'
	$(LOWEST)/bin/$(PYTEST)

# What needs an optional extra, in an environment of its own: the other tests are to see what a new user has. A missing
# package is a failure here, not a skip.
test-extras: $(EXTRAS)/.installed
	$(EXTRAS)/bin/$(PYTEST) -m extra --require-extras

lint: $(STAMP) lint-js
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

# The scripts of the report's page, by Biome of the version in package-lock.json. Where npm cannot have it they are not
# linted, which is a failure in CI.
NODE := tests/reports/page
lint-js:
	@if $(MAKE) --silent node 2>/dev/null; then \
	$(NODE)/node_modules/.bin/biome check --error-on-warnings --config-path $(NODE) reports/page/js; \
	else echo "npm cannot install Biome: reports/page/js is not linted"; test "$$CI" != true; fi

node:
	test -x $(NODE)/node_modules/.bin/biome || npm ci --silent --fetch-retries 0 --fetch-timeout 20000 --prefix $(NODE)

types: wheel-tree
	cd $(VENV)/typed && ../bin/mypy --config-file $(CURDIR)/pyproject.toml --cache-dir $(CURDIR)/.mypy_cache -p vssbench

# The site, in site/; a warning is an error.
docs: wheel-tree
	NO_MKDOCS_2_WARNING=1 VSSBENCH_SOURCES=$(VENV)/typed $(BIN)/mkdocs build --strict

# The files of a release, in dist/: built from the sources that the sdist holds, and looked at.
release-check: $(STAMP)
	rm -rf dist build
	$(BIN)/python -m build --outdir dist .
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl

# Type checkers and mkdocstrings do not follow the folder mapping of an editable install, so they read an installed
# wheel. What is left in build/ would be packed too, deleted modules included.
wheel-tree: $(STAMP)
	rm -rf $(VENV)/typed build && $(BIN)/pip install --quiet --no-deps --target $(VENV)/typed .

# Accuracy and cost of the packaged networks on a few clips, against what was committed: half a minute.
gate: $(STAMP)
	rm -rf results/gate
	$(BIN)/vssbench run smoke.yaml --output results/gate
	$(BIN)/vssbench check results/gate --baseline baseline.json --rules smoke.yaml

# The speeds of docs/speed.md, as ratios within one run: about ten minutes on a quiet machine with two cores.
bench: $(STAMP)
	$(BIN)/python benchmarks/inference.py --options
	$(BIN)/python benchmarks/harness.py
	$(BIN)/python benchmarks/scoring.py
	$(BIN)/python benchmarks/reports.py
	$(BIN)/python benchmarks/cluster.py speedup

$(STAMP): pyproject.toml setup.py constraints.txt
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[train,test,lint,docs,release]'
	touch $@

# mmcv brings opencv-python, which overwrites our opencv-python-headless and does not load without a display's libraries.
$(EXTRAS)/.installed: pyproject.toml setup.py constraints.txt
	test -d $(EXTRAS) || $(PYTHON) -m venv $(EXTRAS)
	$(EXTRAS)/bin/pip install --quiet --constraint constraints.txt --editable '.[train,test,ray,mmseg,mlflow,wandb,tensorboard,onnx]'
	$(EXTRAS)/bin/pip install --quiet --constraint constraints.txt --force-reinstall --no-deps opencv-python-headless
	touch $@

# The weights that the package ships, trained anew: about 75 minutes on two cores, a training on each. It may be
# interrupted and goes on where it was. Trainings are deterministic on one processor and one version of torch.
WEIGHTS := weights
TRAIN = OMP_NUM_THREADS=1 $(BIN)/vssbench train $(1) --dataset 'synthetic(clips=150)' --validation-limit 12 --threads 1 --resume --output $(@D)

weights: $(STAMP)
	$(MAKE) --jobs=2 trained
	$(BIN)/python -m vssbench.networks.packing $(WEIGHTS)

.PHONY: trained
trained: $(addprefix $(WEIGHTS)/,mpvss/mpvss.safetensors arseg/arseg-lr.safetensors cffm/cffm.safetensors half/psp18.safetensors espnet/espnet.safetensors videomt/videomt.safetensors tv3s/tv3s.safetensors tdnet/tdnet.safetensors accel/accel.safetensors)

$(WEIGHTS)/mask2former/mask2former.safetensors:
	$(call TRAIN,mask2former)
$(WEIGHTS)/mpvss/mpvss.safetensors: $(WEIGHTS)/mask2former/mask2former.safetensors
	$(call TRAIN,mpvss) --start $<
$(WEIGHTS)/videomt/videomt.safetensors:
	$(call TRAIN,videomt --option clip=3)
$(WEIGHTS)/mrcfa/mrcfa.safetensors:
	$(call TRAIN,mrcfa)
$(WEIGHTS)/cffm/cffm.safetensors: $(WEIGHTS)/mrcfa/mrcfa.safetensors
	$(call TRAIN,cffm) --start $<
$(WEIGHTS)/tv3s/tv3s.safetensors: $(WEIGHTS)/mrcfa/mrcfa.safetensors
	$(call TRAIN,tv3s) --start $<
$(WEIGHTS)/tdnet/tdnet.safetensors: $(WEIGHTS)/psp18/psp18.safetensors
	$(call TRAIN,tdnet) --start $<
ACCEL := accel(reference=mask2former,update=espnet)
$(WEIGHTS)/accel/accel.safetensors: $(WEIGHTS)/mask2former/mask2former.safetensors $(WEIGHTS)/espnet/espnet.safetensors
	$(call TRAIN,'$(ACCEL)') --start reference:$<,update:$(word 2,$^)
$(WEIGHTS)/espnet/espnet.safetensors:
	$(call TRAIN,espnet)
$(WEIGHTS)/psp18/psp18.safetensors:
	$(call TRAIN,psp18)
$(WEIGHTS)/half/psp18.safetensors:
	$(call TRAIN,'psp18(scale=0.5)')
$(WEIGHTS)/arseg/arseg-lr.safetensors: $(WEIGHTS)/psp18/psp18.safetensors
	$(call TRAIN,arseg) --start $<

clean:
	rm -rf $(VENV) $(EXTRAS) $(LOWEST) $(NODE)/node_modules build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache
