"""Loading of heavy packages."""

from __future__ import annotations

import gc
import sys

import pytest
from vertebra_core.loading import load_ahead, loaded_beside


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Name of a module of its own; its first line can be written before it is loaded."""
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "loaded_in_a_test.py"
    path.write_text("import threading\nthread = threading.current_thread()\n")
    yield path
    sys.modules.pop(path.stem, None)


def test_a_module_is_loaded_by_another_thread(module):
    import threading

    with loaded_beside(module.stem) as loaded:
        found = loaded()
    assert found is sys.modules[module.stem]
    assert found.thread is not threading.main_thread()
    assert gc.isenabled()


def test_what_the_import_raises_is_raised_where_the_module_is_asked_for(module):
    module.write_text("raise RuntimeError('no such card')")
    with loaded_beside(module.stem) as loaded, pytest.raises(RuntimeError, match="no such card"):
        loaded()


def test_an_error_of_the_block_is_told_after_the_import_has_ended(module):
    module.write_text("import time\ntime.sleep(0.2)\nended = True\n")
    with pytest.raises(ValueError, match="bad input"), loaded_beside(module.stem):
        raise ValueError("bad input")
    assert sys.modules[module.stem].ended
    assert gc.isenabled()


def test_a_module_loaded_ahead_is_there_for_whoever_imports_it(module):
    import importlib
    import threading

    load_ahead(module.stem)
    found = importlib.import_module(module.stem)
    assert isinstance(found.thread, threading.Thread)


def test_what_cannot_be_loaded_ahead_is_told_by_the_one_who_needs_it(module):
    import importlib
    import threading

    module.write_text("raise RuntimeError('no such card')")
    load_ahead(module.stem)
    for thread in threading.enumerate():
        if thread.name == "loading ahead":
            thread.join()
    with pytest.raises(RuntimeError, match="no such card"):
        importlib.import_module(module.stem)
