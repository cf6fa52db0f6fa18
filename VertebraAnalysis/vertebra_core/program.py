"""The process that ``python -m vertebra_core`` is: how it begins and how it ends."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NoReturn


def run() -> NoReturn:
    """Run the command line as a process of its own."""
    # Matrices here are small: threads of NumPy's algebra spin beside the threads that work. Grading
    # takes 0.75 of the time without them (medians of 4).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # NumPy reads the variable when it is imported.
    from .command_line import main

    leave(main())


def leave(status: int) -> NoReturn:
    """End this process at once, as everything is written and closed.

    Taking PyTorch, VTK and 3D Slicer's library apart would take another 0.6 s each.

    Parameters
    ----------
    status : int
        Exit status.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(status)
