"""Write the terminology of vertebral levels that 3D Slicer offers, from the table of levels.

python Utilities/make_terminology.py
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

MODULE_FOLDER = Path(__file__).resolve().parents[1] / "VertebraAnalysis"
TERMINOLOGY_FILE = MODULE_FOLDER / "Resources" / "Terminology" / "VertebraAnalysis.term.json"

_SCHEMA = "https://raw.githubusercontent.com/qiicr/dcmqi/master/doc/segment-context-schema.json#"
_VERTEBRA_RGB = (226, 202, 134)


def terminology() -> dict[str, Any]:
    """Return the terminology as 3D Slicer reads it.

    Levels without a SNOMED CT code of their own (T13, L6) are covered by the entry "Vertebra".
    """
    sys.path.insert(0, str(MODULE_FOLDER))
    from vertebra_core.levels import LEVELS
    from vertebra_core.terminology import CONTEXT_NAME

    types = [_type("51282000", "Vertebra", "vertebra", _VERTEBRA_RGB)]
    types += [
        _type(
            level.snomed_code,
            f"{level.name} vertebra",
            f"vertebra_{level.name}",
            level.color_rgb,
        )
        for level in LEVELS
        if level.snomed_code
    ]
    category = {
        "CodeMeaning": "Anatomical Structure",
        "CodingSchemeDesignator": "SCT",
        "CodeValue": "123037004",
        "contextGroupName": "SegmentationPropertyCategories",
        "cid": "7150",
        "showAnatomy": False,
        "Type": types,
    }
    return {
        "SegmentationCategoryTypeContextName": CONTEXT_NAME,
        "@schema": _SCHEMA,
        "SegmentationCodes": {"Category": [category]},
    }


def terminology_text() -> str:
    """Return the content of the file."""
    return json.dumps(terminology(), indent=1) + "\n"


def _type(code: str, meaning: str, label: str, color: tuple[int, int, int]) -> dict[str, Any]:
    return {
        "recommendedDisplayRGBValue": list(color),
        "CodeMeaning": meaning,
        "CodingSchemeDesignator": "SCT",
        "CodeValue": code,
        "SNOMEDCTConceptID": code,
        "3dSlicerLabel": label,
        "contextGroupName": "CommonAnatomicRegions",
        "cid": "4031",
    }


def main(arguments: list[str] | None = None) -> int:
    """Write the file."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args(arguments)
    TERMINOLOGY_FILE.parent.mkdir(parents=True, exist_ok=True)
    with TERMINOLOGY_FILE.open("w", encoding="utf-8", newline="\n") as file:
        file.write(terminology_text())
    print(TERMINOLOGY_FILE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
