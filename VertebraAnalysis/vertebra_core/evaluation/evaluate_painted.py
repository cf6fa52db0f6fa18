"""``evaluate painted``: paint label maps of real spines as CT, analyse these, print how good."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..errors import InputError
from ..phantom.arguments import check_spacings
from ..reading import read_label_map
from .case_files import IMAGE_SUFFIXES
from .grade_matching import grades_by_case
from .grade_table import read_grades
from .measured_pipeline import Analyse
from .output import TITLES, print_records, progress
from .phantom_arguments import add_phantom_arguments
from .prediction import Predict
from .predictor import measured
from .record_log import RecordLog, open_log
from .records import EXPERT_MASKS, CaseRecord
from .reliability_svg import write_reliability
from .truth import CaseTruth, with_grades

MAX_LOOKS = 1000
"""Per label map: seeds of other --seed values never overlap."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``evaluate painted``."""
    parser.add_argument(
        "masks",
        type=Path,
        nargs="+",
        metavar="MASK",
        help="label map of a spine, numbered as VerSe or TotalSegmentator do; no CT",
    )
    parser.add_argument(
        "--grades",
        type=Path,
        metavar="TABLE",
        help="Genant grades by readers, as for `evaluate cases`; without it grades are not scored",
    )
    parser.add_argument(
        "--looks",
        type=int,
        default=12,
        metavar="N",
        help="scans of every map, each of another patient and scanner (default 12)",
    )
    parser.add_argument("--seed", type=int, default=0, help="other seeds give other looks")
    parser.add_argument("--spacing", type=float, default=1.0, metavar="MM", help="slice distance")
    add_phantom_arguments(parser)


def run(args: argparse.Namespace, analyse: Analyse | None = None) -> int:
    """Run ``evaluate painted``.

    Parameters
    ----------
    args : argparse.Namespace
        As parsed with `add_arguments`.
    analyse : callable, optional
        By default the whole pipeline as it was asked for.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    InputError
        If the arguments make no sense, a map cannot be read or painted, the grades are of none of
        the maps, or the output folder belongs to another evaluation.
    OutputError
        If nothing can be written to the output folder.
    """
    _check_arguments(args)
    maps = _named(args.masks)
    table = read_grades(args.grades) if args.grades else {}
    grades = dict(zip(maps, grades_by_case(list(maps), table), strict=True))
    predict, weights = measured(args, analyse)
    log = open_log(args.output, _settings(args, maps, grades, weights))
    records = []
    for name, path in maps.items():
        records += _evaluated(args, name, path, grades[name], predict, log)
    titled = {TITLES[EXPERT_MASKS]: records}
    if args.output:
        write_reliability(args.output, titled)
    print_records(titled, args)
    return 0


def _check_arguments(args: argparse.Namespace) -> None:
    if not 1 <= args.looks <= MAX_LOOKS or args.seed < 0:
        raise InputError(
            "bad_arguments",
            "The number of looks or the seed is out of range.",
            f"1 to {MAX_LOOKS} looks; seed from 0.",
        )
    check_spacings((args.spacing, args.pixel, args.scene_spacing))


def _named(paths: Sequence[Path]) -> dict[str, Path]:
    """Return the maps by name.

    Raises
    ------
    InputError
        ``bad_arguments`` or ``no_such_file``.
    """
    for path in paths:
        if not path.is_file():
            raise InputError("no_such_file", f"There is no file {path}.", "Give a label map.")
    maps = {_name_of(path): path for path in paths}
    if len(maps) < len(paths):
        raise InputError(
            "bad_arguments", "Two of the label maps have one name.", "Give each another name."
        )
    return maps


def _name_of(path: Path) -> str:
    suffix = next((s for s in IMAGE_SUFFIXES if path.name.endswith(s)), path.suffix)
    return path.name.removesuffix(suffix)


def _settings(
    args: argparse.Namespace,
    maps: Mapping[str, Path],
    grades: Mapping[str, Mapping[str, int]],
    weights: Mapping[str, str],
) -> dict[str, object]:
    """Return what records depend on that the names of their scans do not say."""
    return {
        "scene_spacing_mm": args.scene_spacing,
        "setting": args.setting,
        "weights": dict(weights),
        "maps": {n: hashlib.sha256(path.read_bytes()).hexdigest() for n, path in maps.items()},
        "grades": {name: dict(own) for name, own in grades.items()},
    }


def _evaluated(
    args: argparse.Namespace,
    name: str,
    path: Path,
    grades: Mapping[str, int],
    predict: Predict,
    log: RecordLog,
) -> Sequence[CaseRecord]:
    """Return the records of all looks of one map; those in the log are not made again."""
    # Imported here: making phantoms needs torch, listing the arguments must not.
    from ..phantom.expert_spine import expert_scene, expert_spine
    from .phantom_cases import EVALUATION_SEED_START, evaluate_scene

    first = EVALUATION_SEED_START + args.seed * MAX_LOOKS
    names = {
        seed: f"{name}_{seed}_{args.pixel:g}x{args.spacing:g}mm"
        for seed in range(first, first + args.looks)
    }
    spine = None
    for number, (seed, scan_name) in enumerate(names.items(), 1):
        if log.holds(scan_name, None, args.localisers):
            continue
        spine = spine or expert_spine(read_label_map(path), name)
        scene = expert_scene(spine, seed, args.scene_spacing)
        told = partial(_told, levels=spine.levels, grades=grades)
        voxel = (args.pixel, args.pixel, args.spacing)
        log.add(evaluate_scene(scan_name, scene, voxel, predict, told))
        progress(f"{name}: scan {number} of {args.looks}")
    return [log[scan_name] for scan_name in names.values()]


def _told(truth: CaseTruth, levels: Sequence[str], grades: Mapping[str, int]) -> CaseTruth:
    """Return a truth with the grades that readers gave to the map's `levels`, and no others.

    Heights are left out: the map's own would be measured by rules like the pipeline's.
    """
    own = tuple(replace(v, grade=None, shape=None, heights_mm=None) for v in truth.vertebrae)
    of_map = {level: grade for level, grade in grades.items() if level in levels}
    return replace(truth, vertebrae=with_grades(own, of_map), kind=EXPERT_MASKS)
