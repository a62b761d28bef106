# make demo | make test | make test_slow | make lint. Variables: VENV, PYTHON, EXTRAS, PIP_FLAGS (see tools/setup.sh), PYTEST_FLAGS.

VENV ?= .venv
EXTRAS ?= test
PY := $(VENV)/bin/python
DEMO := results/demo
export VENV EXTRAS
export PYTHON PIP_FLAGS

.PHONY: help setup demo test test_slow lint clean

help:
	@echo "make demo   a talking video from the sample face and the sample speech, and a contact sheet of it"
	@echo "make test   the tests, but for the slow ones"
	@echo "make test_slow   the slow ones; .ci/run runs both"
	@echo "make lint   ruff"
	@echo "make setup  only the virtual environment: $(VENV)"
	@echo "make clean  remove results/demo and caches; keeps $(VENV)"

setup:
	@bash tools/setup.sh

demo: setup
	$(PY) -m samples.make_face_video --outfile $(DEMO)/face.mp4
	$(PY) inference.py --face $(DEMO)/face.mp4 --audio samples/speech.wav --outfile $(DEMO)/talking.mp4
	$(PY) -m media.contact_sheet $(DEMO)/talking.mp4 --outfile $(DEMO)/contact_sheet.png --crop 121,56,261,196
	@echo
	@echo "talking video:  $(DEMO)/talking.mp4"
	@echo "contact sheet:  $(DEMO)/contact_sheet.png"

# One process per core, at most four, a test file staying in one process; torch then needs one thread in each. Files begin in the
# order of tests/conftest.py, the longest first.
PYTEST_FLAGS ?= --numprocesses=logical --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

test: setup
	OMP_NUM_THREADS=1 $(PY) -m pytest $(PYTEST_FLAGS) -m "not slow"

test_slow: setup
	OMP_NUM_THREADS=1 $(PY) -m pytest $(PYTEST_FLAGS) -m slow

lint: setup
	$(PY) -m ruff check .

clean:
	rm -rf $(DEMO) .pytest_cache .ruff_cache .hypothesis
