"""The module's self-test: what a reader does, from the sample CT to a corrected and saved scene.

Runs in the application, by ctest or by the button Reload and Test, and in pytest on stand-ins for
what the application brings.
"""

from __future__ import annotations

import csv
import json
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from .Coordinates import lpsToRas

READER = "Self-test"
_TIMEOUT_S = 900
_CANCEL_LIMIT_S = 2.5


class SelfTest:
    """The steps of the self-test; each raises where something is not as it should be.

    Parameters
    ----------
    case : unittest.TestCase
        Makes the assertions.
    panel : Panel, optional
        Default: the one of the module in the application.
    """

    def __init__(self, case: unittest.TestCase, panel: Any = None) -> None:
        self._case = case
        self._panel = panel or _panelOfApplication()

    def refuseBadInput(self) -> None:
        """A label map and a volume of one slice are refused in a sentence; nothing is added."""
        labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
        slicer.util.updateVolumeFromArray(labels, np.ones((8, 8, 8), np.uint8))
        flat = slicer.util.addVolumeFromArray(np.zeros((1, 64, 64), np.int16), name="one slice")
        before = slicer.mrmlScene.GetNumberOfNodes()
        for node in (labels, flat):
            problem = self._panel.services.inputProblem(node)
            self._case.assertTrue(problem.endswith("."), problem)
            self._case.assertNotIn("Traceback", problem)
        self._panel.parameters.inputVolume = flat
        self._settle()
        self._case.assertFalse(self._panel.ui.analyzeButton.enabled)
        self._case.assertFalse(self._panel.startAnalysis())
        self._case.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), before)

    def cancelLeavesTheScene(self) -> None:
        """A cancelled analysis is over within two seconds and adds nothing."""
        self._skipWithoutPackages()
        self._case.assertTrue(self._panel.loadSampleAndAnalyze())
        before = slicer.mrmlScene.GetNumberOfNodes()
        self._wait(lambda: self._panel.ui.progressBar.value > 2)
        started = time.monotonic()
        self._panel.ui.analyzeButton.click()
        self._wait(lambda: not self._panel.running)
        self._case.assertLess(time.monotonic() - started, _CANCEL_LIMIT_S)
        self._case.assertIsNone(self._panel.resultSet)
        self._case.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), before)

    def analyzeCorrectSaveReopen(self) -> None:
        """The tutorial: sample, analysis, review, correction, export, scene file, reopening."""
        self._skipWithoutPackages()
        panel = self._panel
        self._case.assertTrue(panel.loadSampleAndAnalyze())
        self._case.assertFalse(panel.startAnalysis(), "a second run must not start")
        self._wait(lambda: not panel.running)
        self._case.assertIsNotNone(panel.resultSet, panel.ui.messageLabel.text)
        self._checkNodes()
        panel.reader = READER
        key = self._lookAtTheWorst()
        self._dragHeightLine(key)
        self._editAndRemeasure(key)
        self._rejectAndUndo(key)
        expected = self._correct(key)
        with tempfile.TemporaryDirectory(prefix="VertebraAnalysis é ") as name:
            self._export(Path(name))
            self._saveAndReopen(Path(name) / "reviewed scène.mrb")
        self._checkReopened(key, expected)

    def _checkNodes(self) -> None:
        results, case = self._panel.resultSet, self._case
        vertebrae = self._panel.session.vertebrae
        case.assertGreaterEqual(len(vertebrae), 5)
        case.assertTrue(any(v.grade for v in vertebrae), "the sample has fractures")
        case.assertEqual(self._panel.ui.resultsTable.rowCount, len(vertebrae))
        segmentation = results.segmentationNode.GetSegmentation()
        case.assertEqual(segmentation.GetNumberOfSegments(), len(vertebrae))
        case.assertEqual(
            {segmentation.GetNthSegmentID(i) for i in range(len(vertebrae))},
            {f"vertebra_{v.level}" for v in vertebrae},
        )
        case.assertEqual(results.centersNode.GetNumberOfControlPoints(), len(vertebrae))
        case.assertEqual(results.tableNode.GetNumberOfRows(), len(vertebrae))

    def _lookAtTheWorst(self) -> str:
        """Choose the row of the worst fracture; the slice views must go there."""
        worst = max(self._panel.session.vertebrae, key=lambda v: v.grade or 0)
        self._panel.table.select(worst.key)
        self._settle()
        center = lpsToRas(worst.center_lps_mm)
        for index in range(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSliceNode")):
            node = slicer.mrmlScene.GetNthNodeByClass(index, "vtkMRMLSliceNode")
            matrix = node.GetSliceToRAS()
            offset = np.array([matrix.GetElement(i, 3) for i in range(3)]) - center
            normal = np.array([matrix.GetElement(i, 2) for i in range(3)])
            # Views may snap to voxels.
            self._case.assertLess(abs(offset @ normal), 2.0)
        return worst.key

    def _dragHeightLine(self, key: str) -> None:
        """Pull the upper end of Ha down by 3 mm: height and loss follow at once."""
        panel, case = self._panel, self._case
        before = panel.session.review.vertebra(key)
        line = panel.resultSet.heightLineNodes[key, "anterior"]
        ends = (np.array(line.GetNthControlPointPositionWorld(i)) for i in (0, 1))
        top, bottom = sorted(ends, key=lambda end: end[2], reverse=True)
        index = 0 if np.allclose(line.GetNthControlPointPositionWorld(0), top) else 1
        moved = top + 3 * (bottom - top) / np.linalg.norm(bottom - top)
        line.SetNthControlPointPositionWorld(index, *moved)
        line.InvokeEvent(slicer.vtkMRMLMarkupsNode.PointEndInteractionEvent)
        self._settle()
        after = panel.session.review.vertebra(key)
        case.assertTrue(after.heightsChanged)
        case.assertAlmostEqual(after.heights_mm.anterior, before.heights_mm.anterior - 3, delta=0.5)
        case.assertGreater(after.height_loss.wedge, before.height_loss.wedge)
        case.assertEqual(after.ai, before.ai, "the AI's values are kept")
        panel.ui.undoButton.click()
        self._settle()
        case.assertEqual(panel.session.review.vertebra(key).heights_mm, before.heights_mm)

    def _editAndRemeasure(self, key: str) -> None:
        """Cut 4 mm off the top of the segment, as in Segment Editor, and measure it again."""
        panel, case = self._panel, self._case
        before = panel.session.review.vertebra(key)
        node = panel.resultSet.segmentationNode
        segmentId = panel.resultSet.segmentIdOfKey(key)
        segment = node.GetSegmentation().GetSegment(segmentId)
        name = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
        image = segment.GetRepresentation(name)
        labels = slicer.util.arrayFromSegmentInternalBinaryLabelmap(node, segmentId)
        own = labels == segment.GetLabelValue()
        top = np.flatnonzero(own.any(axis=(1, 2))).max()
        cut = slice(top - max(1, round(4 / image.GetSpacing()[2])) + 1, top + 1)
        labels[cut][own[cut]] = 0
        image.Modified()
        case.assertTrue(panel.actions.remeasure(key))
        self._wait(lambda: not panel.running)
        after = panel.session.review.vertebra(key)
        case.assertTrue(after.remeasured, panel.ui.messageLabel.text)
        # The uppermost slices may hold a joint process rather than the endplate.
        case.assertLess(after.volume_ml, before.volume_ml)
        case.assertEqual(after.ai, before.ai, "the AI's values are kept")

    def _rejectAndUndo(self, key: str) -> None:
        """Call the chosen row no vertebra: its point and segment go, and come back."""
        panel, case = self._panel, self._case

        def shown() -> list[bool]:
            results = panel.resultSet
            display = results.segmentationNode.GetDisplayNode()
            return [
                bool(display.GetSegmentVisibility(results.segmentIdOfKey(key))),
                bool(results.centersNode.GetNthControlPointVisibility(results.pointOfKey(key))),
            ]

        for button, wanted in ((panel.ui.rejectButton, False), (panel.ui.undoButton, True)):
            button.click()
            self._settle()
            case.assertEqual(panel.session.review.vertebra(key).rejected, not wanted)
            case.assertEqual(shown(), [wanted, wanted])

    def _correct(self, key: str) -> dict[str, tuple[str, int | None]]:
        """Shift all levels and back, override a grade, accept; return level and grade by key."""
        panel, case = self._panel, self._case
        before = [v.level for v in panel.session.vertebrae]
        panel.ui.shiftUpButton.click()
        self._settle()
        case.assertNotEqual([v.level for v in panel.session.vertebrae], before)
        panel.ui.undoButton.click()
        self._settle()
        case.assertEqual([v.level for v in panel.session.vertebrae], before)
        panel.session.change(
            lambda review, reader: review.overrideGrade(key, 1, "wedge", "self-test", reader)
        )
        panel.ui.acceptAllButton.click()
        self._settle()
        case.assertEqual(panel.session.review.remaining, 0)
        vertebra = panel.session.review.vertebra(key)
        case.assertEqual((vertebra.grade, vertebra.shape), (1, "wedge"))
        label = panel.resultSet.centersNode.GetNthControlPointLabel(panel.resultSet.pointOfKey(key))
        case.assertIn("G1 wedge", label)
        return {v.key: (v.level, v.grade) for v in panel.session.vertebrae}

    def _export(self, folder: Path) -> None:
        panel, case = self._panel, self._case
        number = len(panel.session.vertebrae)
        panel.services.writeCsv(panel.session.review, folder / "vertebrae.csv")
        with (folder / "vertebrae.csv").open(encoding="utf-8-sig", newline="") as file:
            case.assertEqual(len(list(csv.DictReader(file))), number)
        panel.services.writeJson(panel.session.review, folder / "vertebrae.json")
        content = json.loads((folder / "vertebrae.json").read_text("utf-8"))
        case.assertEqual(len(content["vertebrae"]), number)
        panel.services.writeLabels(panel.resultSet, folder / "labels.nii.gz")
        case.assertGreater((folder / "labels.nii.gz").stat().st_size, 1000)
        panel.services.writeReport(panel.resultSet, folder / "report.html")
        case.assertIn("<svg", (folder / "report.html").read_text("utf-8"))
        pictures = panel.services.writePictures(panel.resultSet, folder / "pictures")
        case.assertEqual(len(pictures), sum(bool(v.grade) for v in panel.session.vertebrae))

    def _saveAndReopen(self, path: Path) -> None:
        self._case.assertTrue(slicer.mrmlScene.WriteToMRB(str(path)))
        slicer.mrmlScene.Clear(False)
        self._settle()
        self._case.assertIsNone(self._panel.resultSet)
        self._case.assertTrue(slicer.mrmlScene.ReadFromMRB(str(path)))
        self._settle()

    def _checkReopened(self, key: str, expected: dict[str, tuple[str, int | None]]) -> None:
        panel, case = self._panel, self._case
        case.assertIsNotNone(panel.resultSet, "the results are found again in the scene")
        found = {v.key: (v.level, v.grade) for v in panel.session.vertebrae}
        case.assertEqual(found, expected)
        vertebra = panel.session.review.vertebra(key)
        case.assertEqual((vertebra.reason, vertebra.reviewed), ("self-test", True))
        case.assertIn(READER, {change.reader for change in panel.session.review.changes})

    def _skipWithoutPackages(self) -> None:
        from .Dependencies import missingPackages

        missing = missingPackages()
        if missing:
            self._case.skipTest(f"not installed: {', '.join(missing)}")

    def _wait(self, until: Callable[[], bool]) -> None:
        end = time.monotonic() + _TIMEOUT_S
        while not until():
            self._case.assertLess(time.monotonic(), end, "the application did not get there")
            slicer.app.processEvents()
            time.sleep(0.02)

    def _settle(self) -> None:
        for _ in range(5):
            slicer.app.processEvents()


def _panelOfApplication() -> Any:
    if slicer.util.mainWindow() is not None:
        slicer.util.selectModule("VertebraAnalysis")
    return slicer.util.getModuleWidget("VertebraAnalysis").panel
