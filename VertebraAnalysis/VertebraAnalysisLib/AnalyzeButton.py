"""The button that starts and cancels an analysis, and says what it would do."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from .InputSection import InputSection


class AnalyzeButton:
    """Says on the button what the choices under Advanced make of the analysis.

    They may lie folded away.

    Parameters
    ----------
    ui : object
        With `analyzeButton`, `roiSelector`, `segmentationSelector`.
    inputSection : InputSection
    """

    def __init__(self, ui: Any, inputSection: InputSection) -> None:
        self._button, self._input = ui.analyzeButton, inputSection
        self._roi, self._segmentation = ui.roiSelector, ui.segmentationSelector

    def show(self, running: bool, enabled: bool) -> None:
        """Show what a click does now."""
        self._button.text = _("&Cancel") if running else self._text()
        self._button.toolTip = _("Stop; the scene stays as it is") if running else self._startTip()
        self._button.enabled = enabled

    def _text(self) -> str:
        inRegion = self._roi.currentNode() is not None
        if self._segmentation.currentNode() is not None:
            return _("Gr&ade segmentation in region") if inRegion else _("Gr&ade segmentation")
        return _("&Analyze spine in region") if inRegion else _("&Analyze spine")

    def _startTip(self) -> str:
        if self._input.node is None:
            return _("Choose a CT first")
        if not self._input.suitable:
            return self._input.message
        roi, segmentation = self._roi.currentNode(), self._segmentation.currentNode()
        tip = _("Find, segment, name and grade the vertebrae of the CT")
        if segmentation is not None:
            tip = _('Measure and grade the segmentation "{name}", as chosen under Advanced').format(
                name=segmentation.GetName()
            )
        if roi is None:
            return tip
        region = _('Only in the region "{name}", as chosen under Advanced')
        return f"{tip}\n{region.format(name=roi.GetName())}"
