"""The button that adds a vertebra that the analysis missed: a click in a view, then its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slicer.i18n import tr as _

from .MessageBar import MessageBar
from .MissedLevels import MissedLevels, missedLevels
from .PointPicking import Point, PointPicking
from .ReviewSession import ReviewSession
from .UserError import UserError


class MissedVertebraButton:
    """Wires the button "Add missed vertebra".

    Parameters
    ----------
    ui : object
    session : ReviewSession
    services : PanelServices
    messages : MessageBar
    onAdd : callable
        (point in world RAS mm, level) when the reader has said both.
    """

    def __init__(
        self,
        ui: Any,
        session: ReviewSession,
        services: Any,
        messages: MessageBar,
        onAdd: Callable[[Point, str], Any],
    ) -> None:
        self._button, self._session, self._services = ui.addVertebraButton, session, services
        self._messages, self._onAdd = messages, onAdd
        self._picking = PointPicking(self._button, self._onPicked, self._onCancelled)
        self._review: Any = None
        self._button.connect("clicked()", self.press)
        self.show(True)

    def press(self) -> None:
        """Wait for a click in a view, or wait no more."""
        if self._picking.active:
            self._picking.cancel()
            return
        problem = self._problem()
        if problem:
            self._messages.error(problem)
            return
        self._review = self._session.review
        self._services.showVolume(self._session.resultSet.inputNode)
        self._picking.start()
        self._messages.inform(
            _("Click once into the body of the missed vertebra in a slice view. Escape stops.")
        )
        self.show(True)

    def show(self, enabled: bool) -> None:
        """Follow the session; nothing is added while `enabled` is false."""
        usable = enabled and self._session.isOpen
        if self._picking.active and (not usable or self._session.review is not self._review):
            self._picking.cancel()
        self._button.enabled = usable
        waiting = self._picking.active
        self._button.text = _("Cancel adding") if waiting else _("Add missed vertebra...")

    def stop(self) -> None:
        """Wait no more for a click."""
        self._picking.cancel()

    def cleanup(self) -> None:
        """Give the views back."""
        self._picking.stop()

    def _onPicked(self, point: Point) -> None:
        self._messages.clear()
        self.show(True)
        level = self._messages.attempt(lambda: self._levelAt(point))
        if level:
            self._onAdd(point, level)

    def _onCancelled(self) -> None:
        self._messages.inform(_("No vertebra was added."))
        self.show(True)

    def _levelAt(self, point: Point) -> str:
        review, results = self._session.review, self._session.resultSet
        key = self._services.vertebraAt(results, point)
        if key:
            raise UserError(
                _("There is {level} already.").format(level=review.vertebra(key).level),
                _("Click into a body that has no outline yet."),
            )
        levels = missedLevels(review.accepted, self._services.fromWorld(results, point))
        if levels.sure:
            return levels.likeliest
        return self._services.dialogs.chooseLevel(_question(levels), levels.names, levels.likeliest)

    def _problem(self) -> str:
        """Why nothing can be added, as a sentence or two; empty if it can."""
        results = self._session.resultSet
        if results.inputNode is None:
            return _(
                "The CT of these results is no longer in the scene. Load it and analyze again."
            )
        if results.segmentationNode is None:
            return _("The segmentation of these results was deleted. Analyze the CT again.")
        return self._session.placeProblem


def _question(levels: MissedLevels) -> str:
    if len(levels.names) > 1:
        text = _("Which vertebra is it?")
    else:
        text = _("No usual level is free there. Is it {level}?").format(level=levels.likeliest)
    if {"T13", "L6"} & {*levels.names}:
        text += " " + _("Few spines have T13 or L6.")
    return text + " " + _("For another name cancel, and rename its neighbours first.")
