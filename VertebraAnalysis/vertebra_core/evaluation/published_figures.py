"""What the works that this project stands on report, to be read beside our own figures.

They were measured on other scans (clinical CT, expert truth), so they say what was reached, not
which system is better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

VERTFAULT = "VerSe 2019 test (VertFault 2024)"
LU = "16 clinical CTs, T1-L5 (Lu 2025)"


@dataclass(frozen=True)
class Published:
    """One published row.

    Attributes
    ----------
    stop : str
        One of `compare_answers.STOPS`.
    system : str
    data : str
        What it was measured on, and by whom.
    n : str
        How many scans or vertebrae.
    figures : mapping
        Key of `summary` -> value; shares are fractions.
    confusion : tuple of tuple of int
        Of grades, rows are true ones; empty elsewhere.
    """

    stop: str
    system: str
    data: str
    n: str
    figures: Mapping[str, float] = field(default_factory=dict)
    confusion: tuple[tuple[int, ...], ...] = ()

    def confusion_matrix(self) -> np.ndarray:
        """Return the confusion matrix."""
        return np.array(self.confusion)


PUBLISHED: tuple[Published, ...] = (
    Published(
        "localisation", "LocNet-F", VERTFAULT, "40 scans",
        {"cervical": 2.58, "thoracic": 3.78, "lumbar": 3.09,
         "localisation_error_mm": 3.39, "localisation_error_sd_mm": 5.6},
    ),
    Published(
        "localisation", "LocNet-H", VERTFAULT, "40 scans",
        {"cervical": 1.19, "thoracic": 3.61, "lumbar": 6.06,
         "localisation_error_mm": 4.27, "localisation_error_sd_mm": 10.9},
    ),
    Published(
        "localisation", "Sagittal boxes, DBSCAN", LU, "16 scans",
        {"localisation_error_mm": 1.42, "within_1.5_mm": 0.4549, "within_2_mm": 0.6675,
         "within_3_mm": 0.9072},
    ),
    Published(
        "segmentation", "Attention U-Net", LU, "16 scans",
        {"dice_mean": 0.968, "iou_mean": 0.879, "pixel_accuracy_mean": 0.988,
         "false_positive_rate_mean": 0.011, "false_negative_rate_mean": 0.027,
         "mean_surface_distance_mm": 1.09, "hausdorff_mm": 5.42},
    ),
    Published(
        "segmentation", "FracSegNet, focal (grade 0)", VERTFAULT, "257 vertebrae",
        {"dice_mean": 0.73, "pixel_accuracy_mean": 0.98, "average_hausdorff_mm": 16.7},
    ),
    Published(
        "segmentation", "FracSegNet, cross entropy (grade 0)", VERTFAULT, "257 vertebrae",
        {"dice_mean": 0.90, "pixel_accuracy_mean": 0.99, "average_hausdorff_mm": 12.53},
    ),
    Published(
        "segmentation", "FracSegNet, cross entropy (grade 3)", VERTFAULT, "12 vertebrae",
        {"dice_mean": 0.87, "pixel_accuracy_mean": 0.98, "average_hausdorff_mm": 13.41},
    ),
    Published(
        "labelling", "Single masks", LU, "16 scans",
        {"level_accuracy_before_logic": 0.8936, "level_accuracy": 0.9436,
         "identification_rate_before_logic": 0.8932, "identification_rate": 0.9457},
    ),
    Published(
        "grading", "FracNet, focal", VERTFAULT, "364 vertebrae",
        confusion=((292, 0, 0, 0), (38, 0, 0, 0), (22, 0, 0, 0), (12, 0, 0, 0)),
    ),
    Published(
        "grading", "FracSegNet, focal", VERTFAULT, "327 vertebrae",
        confusion=((257, 0, 0, 0), (36, 0, 0, 0), (22, 0, 0, 0), (12, 0, 0, 0)),
    ),
    Published(
        "grading", "FracSegNet, cross entropy", VERTFAULT, "327 vertebrae",
        confusion=((235, 20, 2, 0), (31, 3, 2, 0), (8, 6, 7, 1), (3, 2, 7, 0)),
    ),
)  # fmt: skip
