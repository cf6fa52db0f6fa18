"""What a user did or gave cannot be used; told in one sentence, without a traceback."""

from __future__ import annotations


class UserError(Exception):
    """A mistake or a limit that the user can do something about.

    Parameters
    ----------
    message : str
        One plain sentence saying what is wrong.
    hint : str
        One sentence saying what to do.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint
