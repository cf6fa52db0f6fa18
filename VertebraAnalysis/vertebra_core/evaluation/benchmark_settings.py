"""``benchmark --settings``: what every setting, and every single choice in it, costs and gives.

All variants run in one process, one after the other and again from the first, so that a computer
that slows down slows all of them down. Seconds are those of the analysis alone, without the start
of the process and the reading of the file, which no choice changes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from ..settings import BEST, FAST, LARGE_CROP_ZYX, Setting
from ..volume import CtVolume
from .case_files import CaseFiles
from .case_loading import load_case
from .localisation_metrics import match_centres
from .measured_pipeline import Analyse, pipeline_with
from .output import print_json, progress
from .prediction import HasAnalysis, from_result
from .scoring import score_case
from .summary import summarise
from .tables import Table, decimals, join, percent

VARIANTS: tuple[Setting, ...] = (
    BEST,
    FAST,
    replace(BEST, name="best, along the spine", along_spine=True),
    replace(BEST, name="best, large crops", crop_shapes_zyx=(LARGE_CROP_ZYX,)),
    replace(
        BEST,
        name="best, small crops first",
        crop_shapes_zyx=(*BEST.crop_shapes_zyx, LARGE_CROP_ZYX),
    ),
    replace(BEST, name="best, no second look", recentre_mm=0.0),
    replace(BEST, name="best, crops not mirrored", mirrored=False),
    replace(BEST, name="best, float32", bfloat16=False),
)
"""The settings, and the first one with one choice changed at a time."""

_ACCURACY = (
    "recall",
    "localisation_error_mm",
    "identification_rate",
    "dice_mean",
    "dice_body_mean",
)


@dataclass(frozen=True)
class Outcome:
    """What a variant costs and gives.

    Attributes
    ----------
    name : str
    seconds, processor_seconds : float
        Medians of the time on the clock and of that of all processors together.
    same_levels : int
        Vertebrae of the first variant that this one finds at the same place and gives the same
        level.
    dice_to_first : float or None
        Mean Dice of the vertebrae's masks with those of the first variant.
    accuracy : dict
        Against the truth, keys as `summary.summarise` has them; empty without a truth.
    """

    name: str
    seconds: float
    processor_seconds: float
    same_levels: int
    dice_to_first: float | None
    accuracy: dict[str, float | None]


def run(
    args: argparse.Namespace,
    ct: Path,
    analyser: Callable[[Setting], Analyse] | None = None,
) -> int:
    """Run ``benchmark --settings``.

    Parameters
    ----------
    args : argparse.Namespace
        As parsed with `benchmark.add_arguments`.
    ct : Path
    analyser : callable, optional
        Gives what analyses a CT with a setting; by default the pipeline on the device asked for.

    Returns
    -------
    int
        Exit status.
    """
    files = CaseFiles(ct.name, ct, labels=args.labels, bodies=args.bodies, truth=args.centres)
    analyser = analyser or _pipelines(args.device, args.models)
    outcomes = compare_variants(files, analyser, args.repeat)
    if args.json:
        print_json({"ct": ct.name, "runs": args.repeat, "variants": [vars(o) for o in outcomes]})
    else:
        print(join([settings_table(ct.name, args.repeat, outcomes)], args.markdown))
    return 0


def compare_variants(
    files: CaseFiles,
    analyser: Callable[[Setting], Analyse],
    repeat: int,
    variants: Sequence[Setting] | None = None,
) -> list[Outcome]:
    """Time `variants` on one CT and measure them against its truth and the first variant.

    Parameters
    ----------
    files : CaseFiles
        Without labels and truth there is no accuracy.
    analyser : callable
        Setting -> what analyses a CT.
    repeat : int
        Runs of each variant.
    variants : sequence of Setting, optional
        By default `VARIANTS`.
    """
    variants = variants or VARIANTS
    known = files.labels is not None or files.truth is not None
    ct, truth = load_case(files) if known else (_ct(files), None)
    times: dict[str, list[tuple[float, float]]] = {v.name: [] for v in variants}
    results: dict[str, HasAnalysis] = {}
    for number in range(repeat):
        for variant in variants:
            analyse = analyser(variant)
            clock, processors = time.perf_counter(), time.process_time()
            results[variant.name] = analyse(ct)
            spent = time.perf_counter() - clock, time.process_time() - processors
            times[variant.name].append(spent)
            progress(f"run {number + 1} of {repeat}, {variant.name}: {spent[0]:.1f} s")
    first = results[variants[0].name]
    outcomes = []
    for name, result in results.items():
        accuracy = {}
        if truth is not None:
            figures = summarise([score_case(files.name, ct, truth, from_result(result))])
            accuracy = {key: figures[key] for key in _ACCURACY}
        clock, processors = (median(t[k] for t in times[name]) for k in (0, 1))
        same, dice = agreement(first, result)
        outcomes.append(Outcome(name, clock, processors, same, dice, accuracy))
    return outcomes


def settings_table(name: str, repeat: int, outcomes: Sequence[Outcome]) -> Table:
    """Show what `compare_variants` returned; ratios are those to the first variant."""
    first = outcomes[0]
    columns = ["setting", "seconds", "ratio", "processor s", "ratio", "same levels", "Dice to best"]
    known = bool(first.accuracy)
    if known:
        columns += ["found", "error mm", "right level", "Dice vertebra", "Dice body"]
    rows = []
    for o in outcomes:
        row = [
            o.name,
            decimals(o.seconds),
            decimals(o.seconds / first.seconds),
            decimals(o.processor_seconds),
            decimals(o.processor_seconds / first.processor_seconds),
            f"{o.same_levels} of {first.same_levels}",
            decimals(o.dice_to_first, 4),
        ]
        if known:
            a = o.accuracy
            row += [
                percent(a["recall"]),
                decimals(a["localisation_error_mm"]),
                percent(a["identification_rate"]),
                decimals(a["dice_mean"], 3),
                decimals(a["dice_body_mean"], 3),
            ]
        rows.append(tuple(row))
    title = f"{name}: analysis alone, median of {repeat} runs"
    return Table(title, tuple(columns), tuple(rows))


def agreement(first: HasAnalysis, other: HasAnalysis) -> tuple[int, float | None]:
    """Vertebrae at the same place under the same name, and the mean Dice of the first one's masks.

    Places are matched as centres are with true ones (`localisation_metrics.match_centres`).
    """
    one, two = first.analysis.vertebrae, other.analysis.vertebrae
    centres = (np.array([v.center_lps_mm for v in own]) for own in (one, two))
    same = sum(one[i].level == two[j].level for i, j, _ in match_centres(*centres).pairs)
    dices = []
    for number in np.unique(first.labels)[1:]:
        a, b = first.labels == number, other.labels == number
        dices.append(2 * float((a & b).sum()) / float(a.sum() + b.sum()))
    return same, float(np.mean(dices)) if dices else None


def _pipelines(device: str, models_folder: Path | None) -> Callable[[Setting], Analyse]:
    from ..analysis_options import AnalysisOptions
    from ..stages import bundled_stages

    # What is imported by this counts for none of the variants.
    bundled_stages(AnalysisOptions(device, models_folder=models_folder))
    return lambda setting: pipeline_with(setting, device, models_folder)


def _ct(files: CaseFiles) -> CtVolume:
    from ..reading import read_ct

    return read_ct(files.ct)
