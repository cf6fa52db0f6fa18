"""How far a run is, in words and as a bar."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from .ProgressLine import ProgressLine

_FINE = 1000
"""Steps of the bar: smooth at any width."""


class ProgressView:
    """Shows stage, fraction and remaining time.

    Parameters
    ----------
    ui : object
        With `progressPanel`, `stageLabel`, `remainingLabel`, `progressBar`.
    """

    def __init__(self, ui: Any) -> None:
        self._panel, self._bar = ui.progressPanel, ui.progressBar
        self._stage, self._remaining = ui.stageLabel, ui.remainingLabel
        self._bar.maximum = _FINE
        self.hide()

    def show(self, progress: ProgressLine) -> None:
        """Show a moment of a run; the bar never goes back."""
        self._stage.text = stageText(progress.stage)
        self._remaining.text = remainingText(progress.remaining_s)
        self._bar.value = max(self._bar.value, round(_FINE * progress.fraction))
        self._panel.visible = True

    def say(self, text: str) -> None:
        """Show a state without a remaining time."""
        self._stage.text = text
        self._remaining.text = ""
        self._panel.visible = True

    def hide(self) -> None:
        """Show nothing and start again at 0."""
        self._panel.visible = False
        self._bar.value = 0


def stageText(stage: str) -> str:
    """What the program does in `stage`, as the user reads it."""
    return {
        "export": _("Handing over the CT"),
        "reading": _("Reading the CT"),
        "localisation": _("Finding vertebrae"),
        "segmentation": _("Outlining vertebrae"),
        "labelling": _("Naming levels"),
        "grading": _("Measuring and grading"),
        "merging": _("Joining the masks"),
        "writing": _("Writing the results"),
    }.get(stage, stage)


def remainingText(seconds: float | None) -> str:
    """The remaining time, no finer than it is known: ``"about 25 s left"``."""
    if seconds is None:
        return ""
    if seconds < 90:
        # Steps of five seconds: a number that jumps at every line cannot be read.
        return _("about {seconds} s left").format(seconds=max(5, 5 * round(seconds / 5)))
    return _("about {minutes} min left").format(minutes=round(seconds / 60))
