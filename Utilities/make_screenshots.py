"""Take the README's pictures: the real panel and real views on the sample CT, without windows.

    python Utilities/make_screenshots.py [FOLDER]

Needs slicer-core, PySide6 and OpenGL (software rendering will do). The CT is analysed as a user
would have it done, which takes a minute or two.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
TARGET = REPOSITORY / "Resources" / "Screenshots"
PANEL_WIDTH = 470
VIEW_SIZE = (540, 520)
FIELD_OF_VIEW_MM = 150
READER = "First reader"

_BORDER = 4
_BORDER_RGB = (60, 60, 60)
_SLICES = {
    "Red": ("Axial", (243, 74, 51)),
    "Green": ("Coronal", (110, 176, 75)),
    "Yellow": ("Sagittal", (237, 213, 76)),
}
_THREE_D_RGB = (116, 145, 214)


class Application:
    """The module's panel beside four views, as the application shows them."""

    def __init__(self) -> None:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        folders = ("VertebraAnalysis", "Testing", "Testing/Panel")
        sys.path[:0] = [str(REPOSITORY / folder) for folder in folders]
        from QtStandIns import loadScriptedModule, startSlicerWithQt
        from SlicerBoot.OffscreenViews import OffscreenSliceView, OffscreenThreeDView

        self.slicer = startSlicerWithQt()
        self.slices = {
            name: OffscreenSliceView(name, orientation, VIEW_SIZE)
            for name, (orientation, _) in _SLICES.items()
        }
        self.three_d = OffscreenThreeDView(size=VIEW_SIZE)
        self.widget = loadScriptedModule(REPOSITORY / "VertebraAnalysis" / "VertebraAnalysis.py")
        self.panel = self.widget.panel
        self.window = self.widget.parent
        self.window.show()

    def wait(self, until: Callable[[], bool], seconds: float) -> None:
        """Let the application work until something is so."""
        end = time.monotonic() + seconds
        while not until():
            if time.monotonic() > end:
                raise SystemExit("The application did not get there in time.")
            self.slicer.app.processEvents()
            time.sleep(0.02)

    def settle(self) -> None:
        """Let pending events be handled."""
        for _ in range(5):
            self.slicer.app.processEvents()

    def show_volume(self, node: Any, height_mm: float) -> None:
        """Show a CT with a window for bone in all slice views."""
        node.GetDisplayNode().SetAutoWindowLevel(False)
        node.GetDisplayNode().SetWindowLevel(1100, 300)
        for view in self.slices.values():
            view.show(node, height_mm)

    def panel_picture(self, height: int | None = None) -> np.ndarray:
        """Return the panel as it looks now, uint8 RGB."""
        hint = self.window.sizeHint
        size = hint() if callable(hint) else hint
        self.window.resize(PANEL_WIDTH, height or size.height())
        self.settle()
        return _array_of(self.window.grab().toImage())

    def views_picture(self) -> np.ndarray:
        """Return the four views, two by two, each under its coloured bar."""
        red, green, yellow = (
            _with_bar(self.slices[name].render(), rgb) for name, (_, rgb) in _SLICES.items()
        )
        three_d = _with_bar(self.three_d.render(), _THREE_D_RGB)
        return np.vstack([np.hstack([red, three_d]), np.hstack([green, yellow])])

    def whole_picture(self) -> np.ndarray:
        """Return the panel beside the views."""
        views = self.views_picture()
        panel = self.panel_picture(height=views.shape[0])
        border = np.full((views.shape[0], _BORDER, 3), _BORDER_RGB, np.uint8)
        return np.hstack([panel[: views.shape[0]], border, views])


def take_pictures(folder: Path) -> list[Path]:
    """Do the tutorial and take its pictures; return their paths."""
    application = Application()
    panel = application.panel
    pictures: dict[str, np.ndarray] = {"panel_start": application.panel_picture()}

    if not panel.loadSampleAndAnalyze():
        raise SystemExit("The analysis of the sample did not start.")
    ui = panel.ui
    application.wait(lambda: not panel.running or _progress(ui.progressBar) > 0.3, 300)
    pictures["panel_progress"] = application.panel_picture()
    application.wait(lambda: not panel.running, 900)
    application.settle()
    if panel.resultSet is None:
        raise SystemExit("The analysis of the sample gave no result.")

    panel.reader = READER
    application.show_volume(panel.resultSet.inputNode, FIELD_OF_VIEW_MM)
    ui.surfacesCheckBox.click()
    fractured = [v for v in panel.session.review.vertebrae if v.grade]
    if not fractured:
        raise SystemExit("No vertebra of the sample was graded as fractured.")
    panel.table.select(max(fractured, key=lambda v: v.grade).key)
    application.settle()
    application.three_d.look(application.slicer.vtkMRMLCameraNode.Left)
    pictures["review"] = application.whole_picture()

    pictures["corrected"] = _correct(application)

    with tempfile.TemporaryDirectory() as name:
        paths = panel.services.writePictures(panel.resultSet, Path(name))
        shutil.copyfile(paths[0], folder / "fracture.png")
    for name, pixels in pictures.items():
        save_png(pixels, folder / f"{name}.png")
    application.widget.cleanup()
    return sorted(folder.glob("*.png"))


def _correct(application: Application) -> np.ndarray:
    """Look at the least fracture along its axes, give it another grade, mark it as reviewed."""
    panel, ui = application.panel, application.panel.ui
    fractured = [v for v in panel.session.review.vertebrae if v.grade]
    ui.alongAxesCheckBox.click()
    panel.table.select(min(fractured, key=lambda v: v.grade).key)
    application.settle()
    ui.gradeSelector.setCurrentIndex(1)
    ui.reasonSelector.setEditText("Old, healed fracture")
    ui.overrideButton.click()
    chosen = panel.table.selectedKey
    ui.reviewedButton.click()
    panel.table.select(chosen)
    application.settle()
    return application.whole_picture()


def _progress(bar: Any) -> float:
    return (bar.value - bar.minimum) / max(1, bar.maximum - bar.minimum)


def save_png(pixels: np.ndarray, path: Path) -> None:
    """Write uint8 RGB pixels as PNG, as small as Qt can."""
    from PySide6.QtGui import QImage

    rows, columns = pixels.shape[:2]
    data = np.ascontiguousarray(pixels).tobytes()
    image = QImage(data, columns, rows, 3 * columns, QImage.Format.Format_RGB888)
    if not image.save(str(path), "PNG", 0):
        raise SystemExit(f"{path} could not be written.")


def _array_of(image: Any) -> np.ndarray:
    from PySide6.QtGui import QImage

    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows, bytes_per_line = image.height(), image.bytesPerLine()
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(rows, bytes_per_line)
    return pixels[:, : 3 * image.width()].reshape(rows, -1, 3).copy()


def _with_bar(pixels: np.ndarray, rgb: tuple[int, int, int]) -> np.ndarray:
    pixels = pixels.copy()
    pixels[:12] = rgb
    pixels[-2:] = pixels[:, -2:] = _BORDER_RGB
    return pixels


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    target.mkdir(parents=True, exist_ok=True)
    for written in take_pictures(target):
        print(written)
