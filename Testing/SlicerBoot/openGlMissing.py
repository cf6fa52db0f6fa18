"""Whether views can be rendered here."""

from __future__ import annotations

import subprocess
import sys

_CODE = (
    "import vtkmodules.vtkRenderingOpenGL2; "
    "from vtkmodules.vtkRenderingCore import vtkRenderWindow; "
    "w = vtkRenderWindow(); w.SetOffScreenRendering(1); w.Render()"
)


def openGlMissing() -> str:
    """Return why views cannot be rendered here; empty when they can."""
    # A missing OpenGL aborts the process.
    done = subprocess.run([sys.executable, "-c", _CODE], capture_output=True)
    return "there is no OpenGL to render with" if done.returncode else ""
