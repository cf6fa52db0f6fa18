"""``report.html``: one page that needs nothing else, to read, print and pass on.

It tells the name of the scan's file, folder or volume, which may name the patient, but no path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape

import numpy as np

from ..analysis import Flag, Manifest, SpineAnalysis, Vertebra
from ..errors import Cancelled
from ..volume import CtVolume, LabelVolume
from .grade_names import grade_label
from .report_review import Reading, changes_by_level, reading_html
from .report_style import STYLE
from .report_summary import (
    LESION,
    grade_needs_attention,
    has_flag,
    needs_attention,
    summary_html,
)
from .report_svg import Drawing, overview_svg, zoom_svg
from .report_table import grade_key_html, percent, table_html
from .spine_pictures import SpinePicture, label_boxes, take_picture
from .spine_surfaces import Surface, body_surface, coronal_surface, sagittal_surface

RESEARCH_USE = (
    "For research only. This is no medical device; it is not cleared for diagnosis. Levels, "
    "measurements and grades were made by a computer and must be checked by a reader."
)

_HEAD = "grading"
"""Weights of the learned head, which grades beside the heights; others grade alone."""


def report_html(
    analysis: SpineAnalysis,
    ct: CtVolume | None,
    labels: LabelVolume | None,
    bodies: np.ndarray | None,
    cancelled: Callable[[], bool] | None = None,
    reading: Reading | None = None,
) -> str:
    """Return the report as an HTML page.

    Parameters
    ----------
    analysis : SpineAnalysis
    ct : CtVolume or None
        The input; without it the pictures show outlines only.
    labels : LabelVolume or None
        Whole vertebrae, VerSe numbers; without them there are no pictures.
    bodies : ndarray of uint8, shape (z, y, x), or None
        Bodies, on the grid of `labels`.
    cancelled : callable, optional
        Asked before every picture; True ends with `Cancelled`.
    reading : Reading, optional
        A reader's review, whose values `analysis` holds.
    """
    found = analysis.vertebrae
    overviews = zooms = ""
    if found and labels is not None:
        boxes = label_boxes(labels.labels)

        def picture(surface: Surface) -> SpinePicture:
            if cancelled is not None and cancelled():
                raise Cancelled()
            return take_picture(surface, ct, labels, bodies, boxes)

        spine = ("<h2>The spine</h2>", grade_key_html(), _overviews(analysis, labels, picture))
        overviews, zooms = "\n".join(spine), _zooms(found, picture)
    parts = [
        "<h1>Vertebra analysis</h1>",
        _head(analysis.manifest),
        f"<p class='research' role='note'><b>Research use.</b> {RESEARCH_USE}</p>",
        summary_html(analysis),
        _warnings(analysis.warnings),
        reading_html(reading) if reading is not None else "",
        overviews,
    ]
    if found:
        changes = changes_by_level(reading) if reading is not None else None
        parts += ["<h2>Vertebrae</h2>", table_html(found, changes, analysis.manifest), zooms]
    parts += ["<h2>How this was made</h2>", _manifest(analysis.manifest)]
    page = "\n".join(p for p in parts if p)
    return (
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        "<meta http-equiv='Content-Security-Policy' "
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        f"<title>Vertebra analysis</title><style>{STYLE}</style></head>\n"
        f"<body><main>\n{page}\n</main></body></html>\n"
    )


def _head(manifest: Manifest) -> str:
    rows = {
        "Scan": manifest.input_name or "name not known",
        "DICOM series": manifest.series_uid,
        "Analysed": _plain_time(manifest.created) if manifest.created else None,
        "Program": f"VertebraAnalysis {manifest.core_version}",
    }
    return _rows({name: escape(text) for name, text in rows.items() if text})


def _plain_time(iso: str) -> str:
    return iso.replace("T", " ").replace("+00:00", " UTC")


def _overviews(
    analysis: SpineAnalysis, labels: LabelVolume, picture: Callable[[Surface], SpinePicture]
) -> str:
    found = analysis.vertebrae
    named = "; ".join(f"{v.level} {grade_label(v)}" for v in found)
    views = (
        (
            sagittal_surface,
            "Sagittal",
            "follows the spine from side to side; white: measured heights",
        ),
        (coronal_surface, "Coronal", "follows the spine from front to back"),
    )
    figures = []
    for make, name, how in views:
        drawn = overview_svg(picture(make(found, labels)), found, f"{name} view. {named}.")
        figures.append(_figure(drawn, f"<b>{name}</b><br>{how}"))
    return f"<div class='pictures'>{''.join(figures)}</div>"


def _zooms(found: tuple[Vertebra, ...], picture: Callable[[Surface], SpinePicture]) -> str:
    shown = [v for v in found if needs_attention(v)]
    if not shown:
        return ""
    by_level = {v.level: v for v in found}
    figures = []
    for v in shown:
        lesions = [f for f in v.flags if f.code == LESION and f.position_lps_mm is not None]
        if grade_needs_attention(v) or not lesions:
            figures.append(_grade_zoom(v, by_level, picture))
        figures += [_lesion_zoom(v, lesion, by_level, picture) for lesion in lesions]
    through = ", or in the sagittal plane through what may be a lesion"
    where = through if any(has_flag(v, LESION) for v in shown) else ""
    return (
        "<h2>Vertebrae to look at</h2><p class='quiet'>Each in its own mid-sagittal plane"
        f"{where}; heights in mm.</p><div class='zooms'>{''.join(figures)}</div>"
    )


def _grade_zoom(
    v: Vertebra, others: Mapping[str, Vertebra], picture: Callable[[Surface], SpinePicture]
) -> str:
    title = f"{v.level}, mid-sagittal, {grade_label(v)}"
    drawn = zoom_svg(picture(body_surface(v)), v, others, title)
    return _figure(drawn, f"<b>{v.level}: {escape(grade_label(v))}</b>{_losses(v)}")


def _lesion_zoom(
    v: Vertebra,
    lesion: Flag,
    others: Mapping[str, Vertebra],
    picture: Callable[[Surface], SpinePicture],
) -> str:
    place = lesion.position_lps_mm
    title = f"{v.level}, sagittal, suspected lesion"
    drawn = zoom_svg(picture(body_surface(v, place)), v, others, title, place)
    sure = "" if lesion.confidence is None else f"<br>confidence {lesion.confidence:.2f}"
    return _figure(drawn, f"<b>{v.level}: suspected lesion</b>{sure}")


def _figure(drawing: Drawing, caption: str) -> str:
    return (
        f"<figure style='width:{drawing.width_px}px'>{drawing.svg}"
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _losses(v: Vertebra) -> str:
    if v.height_loss is None:
        return ""
    loss = v.height_loss
    named = (("wedge", loss.wedge), ("biconcave", loss.biconcave), ("crush", loss.crush))
    return "<br>loss: " + ", ".join(f"{name}&nbsp;{percent(x)}&nbsp;%" for name, x in named)


def _warnings(warnings: tuple[str, ...]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(w)}</li>" for w in warnings)
    return f"<div class='summary'><b>About the scan</b><ul>{items}</ul></div>"


def _manifest(manifest: Manifest) -> str:
    weights = [f"{name}: sha256 {sha}" for name, sha in sorted(manifest.weights_sha256.items())]
    seconds = [f"{stage} {s:.1f} s" for stage, s in manifest.seconds_per_stage.items()]
    versions = [f"{name} {version}" for name, version in manifest.versions.items()]
    # A path may hold the name of a person.
    options = [f"{k} {v}" for k, v in manifest.options.items() if k != "models_folder"]
    rows = {
        "Image": f"{_times(manifest.input_size_xyz)} voxels of "
        f"{_times(round(s, 3) for s in manifest.input_spacing_xyz_mm)} mm",
        "Program": f"vertebra_core {manifest.core_version} on {manifest.device}",
        "Versions": escape(", ".join(versions)) or "not known",
        "Weights": "<br>".join(escape(w) for w in weights) or "none: no network was used",
        "Time": escape(", ".join(seconds)) or "not taken",
        "Options": escape(", ".join(options)) or "defaults",
        "Method": escape(_method(manifest)),
    }
    return _rows(rows)


def _method(manifest: Manifest) -> str:
    method = (
        "Genant et al., J Bone Miner Res 8 (1993) 1137; height norms of each level from "
        "Black (1991), Eastell (1991) and Masharawi (2008), proportions of posterior heights from "
        "Panjabi et al. (1991, 1992)"
    )
    grader = manifest.options.get("grader", _HEAD)
    if grader not in manifest.weights_sha256:
        return f"{method}; grades rest on heights alone."
    if grader == _HEAD:
        return f"{method}; a network that looks at image and outline gives a second opinion."
    return f"{method}; grades are those of the network {grader} alone."


def _rows(rows: dict[str, str]) -> str:
    return "<dl>" + "".join(f"<dt>{k}</dt><dd>{v}</dd>" for k, v in rows.items()) + "</dl>"


def _times(values) -> str:
    return " &times; ".join(f"{v:g}" for v in values)
