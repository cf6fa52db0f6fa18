"""The term file that lists the SNOMED CT names of vertebrae for 3D Slicer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vertebra_core.terminology import CONTEXT_NAME


def termFile() -> Path:
    """Return where our term file lies beside the module."""
    folder = Path(__file__).resolve().parents[1] / "Resources" / "Terminology"
    return folder / "VertebraAnalysis.term.json"


def loadTerminology(logic: Any) -> bool:
    """Add our terms to the application's lists once.

    Parameters
    ----------
    logic : vtkSlicerTerminologiesModuleLogic

    Returns
    -------
    bool
        Whether the terms are there.
    """
    if logic.IsTerminologyContextLoaded(CONTEXT_NAME):
        return True
    path = termFile()
    return path.is_file() and logic.LoadTerminologyFromFile(str(path)) == CONTEXT_NAME
