"""Runs the module's self-test inside 3D Slicer and ends the application; see README.md."""

import sys
import unittest
from pathlib import Path

import slicer

MODULE_FOLDER = Path(__file__).resolve().parents[2] / "VertebraAnalysis"


def main() -> int:
    """Return the application's exit status: 0 when all tests passed."""
    if not hasattr(slicer.modules, "vertebraanalysis"):
        factory = slicer.app.moduleManager().factoryManager()
        factory.loadModules([str(MODULE_FOLDER / "VertebraAnalysis.py")])
    sys.path.insert(0, str(MODULE_FOLDER))
    suite = unittest.TestLoader().loadTestsFromName("VertebraAnalysis.VertebraAnalysisTest")
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    for test, reason in result.skipped:
        print(f"SKIPPED {test.id()}: {reason}")
    return slicer.util.EXIT_SUCCESS if result.wasSuccessful() else slicer.util.EXIT_FAILURE


if __name__ == "__main__":
    slicer.util.exit(main())
