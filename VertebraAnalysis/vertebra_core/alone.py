"""Modules that are run by themselves end as the program does: with a sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable

from .errors import Cancelled, InputError, VertebraError


def run_alone(main: Callable[[], int]) -> int:
    """Run an entry point; what a user can mend, or wanted, is told without a traceback.

    Returns
    -------
    int
        Exit status.
    """
    try:
        return main()
    except VertebraError as error:
        told = error
    except KeyboardInterrupt:
        told = Cancelled(message="The run was cancelled.")
    except (ValueError, OSError) as error:
        told = InputError("bad_input", f"The run cannot go on: {in_words(error)}.")
    print(told, file=sys.stderr)
    return told.exit_code


def in_words(error: ValueError | OSError) -> str:
    """Return what an error says, without numbers of the system and the full stop."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error).rstrip(".")
