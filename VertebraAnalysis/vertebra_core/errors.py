"""Errors a user can do something about: one plain sentence, a hint, and an exit code."""

from __future__ import annotations


class VertebraError(Exception):
    """Base of every error that is reported to the user without a traceback.

    Parameters
    ----------
    code : str
        Stable identifier for programs, e.g. ``"not_ct"``.
    message : str
        One plain sentence saying what is wrong.
    hint : str
        One sentence saying what to do about it; may be empty.

    Attributes
    ----------
    exit_code : int
        Exit status of the process that fails with this error.
    """

    exit_code: int = 1

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type[VertebraError], tuple[str, str, str]]:
        # Exception pickles `args` only, which would lose code and hint between processes.
        return type(self), (self.code, self.message, self.hint)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class InputError(VertebraError):
    """The input cannot be analysed."""

    exit_code = 2


class WeightsError(VertebraError):
    """Network weights are missing, altered, or do not fit the program."""

    exit_code = 2


class OutputError(VertebraError):
    """Results cannot be written."""

    exit_code = 2


class Cancelled(VertebraError):  # noqa: N818 - an outcome the user chose, not an error
    """The user stopped the analysis."""

    exit_code = 3

    def __init__(
        self,
        code: str = "cancelled",
        message: str = "The analysis was cancelled.",
        hint: str = "",
    ) -> None:
        super().__init__(code, message, hint)
