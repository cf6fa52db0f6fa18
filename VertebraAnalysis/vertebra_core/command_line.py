"""``python -m vertebra_core COMMAND``: the one way to run anything, for people and programs.

Exit status: 0 done, 2 bad input, 3 cancelled, 1 a defect of the program. Nothing heavy is imported
before it is known what is wanted, so that help is instant and a signal finds the program listening.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any, NoReturn

from . import __version__
from .cancellation import raise_on_termination
from .console import Console, open_console, open_missing_streams, silence
from .errors import Cancelled, InputError, VertebraError

COMMANDS: dict[str, str] = {
    "analyze": "find, segment, name and grade the vertebrae of a CT",
    "grade": "measure and grade the vertebrae of a segmentation",
    "evaluate": "compare with known truth and print how good the results are",
    "benchmark": "print seconds per stage and peak memory",
    "train": "train a network",
    "phantom": "make synthetic CTs with exact truth",
}
"""Command -> what it does; each is a module of `commands` of the same name."""

PROGRAM = "python -m vertebra_core"
"""How the command line is called."""

_DEFECT_HINT = "This is a defect of the program; the details are on standard error."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        Exit status.
    """
    open_missing_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    # The form of errors must be known before anything can go wrong.
    console = open_console(_progress_kind(words))
    chosen = next((word for word in words if not word.startswith("-")), None)
    work = "training" if chosen == "train" else "analysis"
    stopped = Cancelled(message=f"The {work} was cancelled.")
    signalled = raise_on_termination(stopped)
    try:
        return _run(words, console)
    except KeyboardInterrupt:
        return _told(console, stopped)
    except Cancelled as error:
        return _told(console, error)
    except BrokenPipeError:
        # Nobody reads the output any more, as with `| head`; exiting must not complain about it.
        silence(sys.stdout)
        return Cancelled.exit_code
    except Exception as error:
        # What a signal breaks in the midst of an import is no mistake, and no defect.
        return _told(console, stopped if signalled.is_set() else _described(error))


def make_parser() -> CommandParser:
    """Return the parser; a command is imported when its arguments are parsed."""
    parser = CommandParser(
        prog=PROGRAM,
        description="Find, segment, name and grade vertebrae in CT. For research only.",
    )
    parser.add_argument("--version", action="version", version=f"vertebra_core {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, purpose in COMMANDS.items():
        sentence = f"{purpose[0].upper()}{purpose[1:]}."
        commands.add_parser(
            name, help=purpose, description=sentence, fill=partial(_add_command, name)
        )
    return parser


def _add_command(name: str, parser: argparse.ArgumentParser) -> None:
    module = import_module(f".commands.{name}", __package__)
    module.add_arguments(parser)
    parser.set_defaults(run=module.run)


class CommandParser(argparse.ArgumentParser):
    """A parser whose mistakes are told as those of any input are.

    Parameters
    ----------
    fill : callable, optional
        Adds the arguments to the parser it is given, when they are needed for the first time.
    others
        Those of `argparse.ArgumentParser`.
    """

    def __init__(
        self,
        *others: Any,
        fill: Callable[[argparse.ArgumentParser], None] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(*others, **more)
        self._fill = fill

    def parse_known_args(self, args=None, namespace=None):
        """Parse all of `args`; the parser of a command leaves none to the one above it.

        Raises
        ------
        InputError
        """
        fill, self._fill = self._fill, None
        if fill is not None:
            fill(self)
        # That one would lead to a help that does not tell the options of the command.
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return namespace, unknown

    def error(self, message: str) -> NoReturn:
        """Raise InputError."""
        raise InputError(
            "bad_arguments", f"{message[:1].upper()}{message[1:]}.", f"See: {self.prog} --help"
        )


def _run(words: list[str], console: Console) -> int:
    # As from an unset variable of a shell; Path would take it for the current folder.
    if any(not word.strip() or re.fullmatch(r"--[a-z-]+=\s*", word) for word in words):
        raise InputError(
            "bad_arguments", "An argument is empty.", "Check for a variable that is not set."
        )
    args = make_parser().parse_args(words)
    return args.run(args, console)


def _progress_kind(words: Sequence[str]) -> str:
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--progress", default="auto")
    with contextlib.suppress(argparse.ArgumentError, SystemExit):
        return parser.parse_known_args(words)[0].progress
    return "auto"


def _told(console: Console, error: VertebraError) -> int:
    with contextlib.suppress(OSError):
        console.error(error)
    return error.exit_code


def _described(error: Exception) -> VertebraError:
    if isinstance(error, VertebraError):
        return error
    # PyTorch's class for a full graphics card is matched by name: torch may not be imported.
    full = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    if full or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return InputError(
            "out_of_memory",
            "There is not enough memory for this scan.",
            "Close other programs, choose --device cpu, or crop the scan to the spine.",
        )
    traceback.print_exception(error, file=sys.stderr)
    words = " ".join(str(error).split())[:300] or "no further words"
    return VertebraError("defect", f"The program failed ({type(error).__name__}: {words}).",
                         _DEFECT_HINT)  # fmt: skip
