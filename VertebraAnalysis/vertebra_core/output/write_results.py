"""Writes every result file of an analysis."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..analysis_json import analysis_to_json
from ..errors import Cancelled
from ..volume import CtVolume, LabelVolume
from .analysis_csv import analysis_to_csv
from .atomic_output import AtomicOutput
from .label_map import write_label_map
from .markups_json import analysis_to_markups
from .report_html import report_html
from .scene_mrb import SceneWriting

if TYPE_CHECKING:
    from ..pipeline import AnalysisResult

# Each after its file is there; the scene is built by another process all the while.
_DONE = {"tables": 0.05, "labels": 0.25, "bodies": 0.4, "report": 0.7, "scene": 1.0}


def write_results(
    output: AtomicOutput,
    result: AnalysisResult,
    ct: CtVolume | None,
    grid: CtVolume | LabelVolume,
    scene: SceneWriting | None,
    on_progress: Callable[[float], None],
    cancelled: Callable[[], bool],
) -> tuple[str, ...]:
    """Write all files of `atomic_output.RESULT_FILES`; nothing is committed yet.

    Parameters
    ----------
    output : AtomicOutput
        Open.
    result : AnalysisResult
    ct : CtVolume or None
    grid : CtVolume or LabelVolume
        Where the label maps of `result` lie.
    scene : SceneWriting or None
        Writes ``scene.mrb``, where there shall be one; it is stopped by whoever started it.
    on_progress : callable
        Called with the fraction done.
    cancelled : callable

    Returns
    -------
    tuple of str
        One sentence for everything that is missing.

    Raises
    ------
    OutputError
        If a file cannot be written.
    Cancelled
    """
    labels = LabelVolume(result.labels, grid.spacing_xyz_mm, grid.origin_lps_mm, grid.direction)
    analysis = result.analysis
    as_json = analysis_to_json(analysis, result.network_levels or None)
    markups = analysis_to_markups(analysis)
    if scene is not None:
        with output.writing():
            scene.begin(ct, labels, result.bodies, as_json, markups)
    _write(output, "analysis.json", as_json)
    _write(output, "vertebrae.csv", analysis_to_csv(analysis))
    _write(output, "vertebrae.mrk.json", markups)
    on_progress(_DONE["tables"])
    with output.writing():
        write_label_map(output.path("labels.nii.gz"), result.labels, labels, cancelled)
    on_progress(_DONE["labels"])
    with output.writing():
        write_label_map(output.path("bodies.nii.gz"), result.bodies, labels, cancelled)
    on_progress(_DONE["bodies"])
    _write(output, "report.html", report_html(analysis, ct, labels, result.bodies, cancelled))
    on_progress(_DONE["report"])
    note = ""
    if scene is not None:
        with output.writing():
            note = scene.finish(cancelled)
    on_progress(_DONE["scene"])
    if cancelled():
        raise Cancelled()
    return (note,) if note else ()


def _write(output: AtomicOutput, name: str, text: str) -> None:
    # Explicit newlines: CSV has its own, and Windows must not change the others.
    with output.writing():
        output.path(name).write_text(text, "utf-8", newline="")
