# make demo   set up .venv, analyse the sample CT, print the table and where the report is
# make test   set up .venv, check the code's style, run all tests

PYTHON ?= python3
SAMPLE ?= Resources/SampleData/spine_phantom_ct.nii.gz
DEMO ?= demo
PYTEST_OPTIONS ?=

VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-fast lint format clean distclean

help:
	@sed -n 's/^# make/make/p' Makefile
	@echo "make test-fast  leave out the slow tests"
	@echo "make lint   check the code's style; make format corrects it"
	@echo "make clean  remove caches and the demo's output; make distclean also .venv"

venv: $(VENV)/runtime.done

# The .pth file makes vertebra_core importable from the checkout without installing it.
$(VENV)/runtime.done: requirements-lock.txt Utilities/make_venv.sh
	sh Utilities/make_venv.sh "$(PYTHON)" $(VENV)
	$(PIP) install -r requirements-lock.txt
	$(RUN) -c "import pathlib, sysconfig; \
	folder = pathlib.Path(sysconfig.get_path('purelib')); \
	source = pathlib.Path('VertebraAnalysis').resolve(); \
	(folder / 'vertebra_analysis.pth').write_text(f'{source}\n', encoding='utf-8')"
	touch $@

$(VENV)/test.done: $(VENV)/runtime.done requirements-test-lock.txt
	$(PIP) install -r requirements-test-lock.txt
	touch $@

demo: $(VENV)/runtime.done
	$(RUN) -m vertebra_core analyze "$(SAMPLE)" -o "$(DEMO)"
	@echo "Report: $$(cd "$(DEMO)" && pwd)/report.html"

# Tests of the core that take minutes together, where the public data are at hand.
LONG := Testing/Core/test_keypoints.py Testing/Core/test_template_shapes.py

# Two halves side by side, one processor core each: the core, and the Slicer side with LONG.
test: lint
	@$(RUN) -m pytest Testing/Core $(LONG:%=--ignore=%) $(PYTEST_OPTIONS) \
		> $(VENV)/core-tests.log 2>&1 & core=$$!; \
	$(RUN) -m pytest Testing/Scene Testing/Panel $(LONG) $(PYTEST_OPTIONS); slicer=$$?; \
	wait $$core; core=$$?; cat $(VENV)/core-tests.log; exit $$((slicer != 0 || core != 0))

# Without the tests that take more than a few seconds.
test-fast: lint
	$(RUN) -m pytest -m "not slow" $(PYTEST_OPTIONS)

lint: $(VENV)/test.done
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

format: $(VENV)/test.done
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

clean:
	rm -rf "$(DEMO)" .pytest_cache .ruff_cache build
	find VertebraAnalysis Testing -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
