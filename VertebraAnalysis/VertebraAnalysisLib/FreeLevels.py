"""Which levels fit between two others."""

from __future__ import annotations

from vertebra_core.levels import level_named

from .UserError import UserError


def orderOf(level: str) -> int:
    """Return the place of a level in the spine; a higher number lies nearer to the feet."""
    return level_named(level).order


def isBetween(level: str, above: str | None, below: str | None) -> bool:
    """Tell whether a level lies between two others; None where there is no other."""
    return (above is None or orderOf(above) < orderOf(level)) and (
        below is None or orderOf(level) < orderOf(below)
    )


def whereBetween(above: str | None, below: str | None) -> str:
    """Return where that is, in words; at least one of both must be there."""
    if above and below:
        return f"between {above} and {below}"
    return f"below {above}" if above else f"above {below}"


def noneFree(above: str | None, below: str | None) -> UserError:
    """Return the error that no level fits between two others."""
    return UserError(
        f"There is no level free {whereBetween(above, below)}.",
        "Rename the vertebrae above or below first.",
    )
