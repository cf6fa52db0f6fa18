"""``evaluate --compare``: every system whose weights are at hand, on the same scans, in one report.

Weights are taken from ``--weights FOLDER`` (as `train` writes them, in any sub-folder); what the
pipeline needs and the folder lacks comes from the bundled weights.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import nn

from ..errors import InputError, WeightsError
from ..localisation.dbscan import check_dbscan
from ..models import WeightsRecord, load_network, load_weights_file
from ..phantom.arguments import check_shapes, check_spacings, shapes_name, wanted_deformed
from ..phantom.bank import EVALUATION_SEED_START
from ..phantom.shape_library import ShapeLibrary
from ..settings import BEST
from ..training.imaging_domains import domain_numbers
from .compare_answers import EXTRA_STOPS, System
from .compare_cases import CompareCase, phantom_cases, real_cases, with_perturbations
from .compare_perturbed import perturbation_tables
from .compare_pipeline import pipeline_systems
from .compare_run import BASE_NETWORKS, RecordedRun, base_stages, record_run
from .compare_systems import systems_of
from .compare_tables import comparison_tables, figures_of
from .compare_training import training_table
from .evaluate_phantoms import MAX_PHANTOMS
from .measured_pipeline import chosen_device
from .output import print_json, progress
from .phantom_cases import SceneStore
from .record_log import RecordLog, open_log
from .records import PART_SEPARATOR, CaseRecord
from .scoring import score_case
from .tables import join

_CHECKPOINT = "checkpoint"

UNCHANGED = "the perturbation leaves this scan as it is"
"""Note of a record that stands for a scan left out."""


def run(args: argparse.Namespace) -> int:
    """Run ``evaluate --compare``.

    Raises
    ------
    InputError
        If there is nothing to compare on, arguments make no sense, or the output folder belongs to
        another evaluation.
    WeightsError
        If weights are damaged.
    """
    cases = _cases(args)
    if not cases:
        raise InputError(
            "nothing_to_evaluate",
            "There is no scan to compare on.",
            "Give --count phantoms, --public-data or --cases.",
        )
    device = chosen_device(args)
    log = open_log(args.output, _settings(args))
    networks, records = found_networks(args.weights, device)
    sums = {name: record.sha256 for name, record in records.items()}
    systems = all_systems(networks, device, sums)
    stages = base_stages(networks, device)
    results = compare(cases, systems, lambda ct: record_run(ct, stages), log)
    if args.json:
        print_json(
            {
                f"{stop}: {system}, {kind}": figures_of(stop, records)
                for (stop, system, kind), records in results.items()
                if records
            }
        )
    else:
        tables = [*comparison_tables(results), *perturbation_tables(results)]
        training = training_table(networks, records, tuple(without_dbscan(networks)))
        print(join([*tables, training], args.markdown))
    return 0


def compare(
    cases: list[CompareCase],
    systems: list[System],
    analyse: Callable[[object], RecordedRun],
    log: RecordLog,
) -> dict[tuple[str, str, str], list[CaseRecord]]:
    """Ask every system about every scan.

    Parameters
    ----------
    cases : list of CompareCase
    systems : list of System
    analyse : callable
        CT -> RecordedRun.
    log : RecordLog
        Answers in it are not asked for again while a scan's files are as they were.

    Returns
    -------
    dict
        (stop, system, kind of data) -> records; none of scans that a perturbation leaves as they
        are.
    """
    results: dict[tuple[str, str, str], list[CaseRecord]] = {}
    for case in cases:
        started = time.monotonic()
        sources = case.sources()
        keys = {s: PART_SEPARATOR.join((case.name, s.stop, s.name, s.version)) for s in systems}
        wanted = {s: key for s, key in keys.items() if not log.holds(key, sources)}
        if wanted:
            for record in _answers(case, wanted, analyse):
                log.add(replace(record, sources=sources))
            progress(f"{case.name}: {time.monotonic() - started:.0f} s")
        for system, key in keys.items():
            if UNCHANGED not in log[key].notes:
                results.setdefault((system.stop, system.name, case.kind), []).append(log[key])
    return results


def _answers(
    case: CompareCase, keys: Mapping[System, str], analyse: Callable[[object], RecordedRun]
) -> Iterator[CaseRecord]:
    """Yield the record of every system's answer about a scan."""
    loaded = case.load()
    if loaded is None:
        for key in keys.values():
            yield CaseRecord(key, case.kind, (0.0, 0.0, 0.0), (), (), notes=(UNCHANGED,))
        return
    ct, truth, extras = loaded
    # A scan whose lesions are not known says nothing about them: its records stay empty.
    own = {s: extras.get(s.stop) if s.stop in EXTRA_STOPS else truth for s in keys}
    recorded = analyse(ct)
    for system, key in keys.items():
        if own[system] is None:
            yield CaseRecord(key, case.kind, ct.spacing_xyz_mm, (), ())
            continue
        answer = system.answer(recorded)
        if system.stop != "segmentation":
            # Scoring masks is slow, and only one stop shows it.
            answer = replace(answer, labels=None, bodies=None)
        yield score_case(key, ct, own[system], answer)


def found_networks(
    folder: Path | None, device: str
) -> tuple[dict[str, nn.Module], dict[str, WeightsRecord]]:
    """Load every network below a folder by its file's name, and those the pipeline lacks.

    Returns
    -------
    networks : dict of Module
    records : dict of WeightsRecord
        Name -> where its weights came from.

    Raises
    ------
    InputError
        If the folder does not exist, or holds two different weights of one name.
    WeightsError
        If weights are damaged, or not bundled either.
    """
    networks: dict[str, nn.Module] = {}
    records: dict[str, WeightsRecord] = {}
    paths: dict[str, Path] = {}
    if folder is not None and not folder.is_dir():
        raise InputError(
            "no_such_folder", f"There is no folder {folder}.", "Give the --out of a training."
        )
    for path in sorted(folder.rglob("*.safetensors")) if folder else ():
        if path.parent.name.startswith(_CHECKPOINT):
            continue
        try:
            network, record = load_weights_file(path, device)
        except WeightsError as error:
            if error.code != "weights_unfit":
                raise
            progress(f"{path.name}: left out, {error.message}")
            continue
        name = path.stem
        if name in records and records[name].sha256 != record.sha256:
            raise _same_name(paths[name], path)
        networks[name], records[name], paths[name] = network, record, path
    for name in BASE_NETWORKS:
        if name not in networks:
            networks[name], records[name] = load_network(name, None, device)
    return networks, records


def _same_name(one: Path, other: Path) -> InputError:
    return InputError(
        "weights_of_one_name",
        f"{one} and {other} are different weights of one name, by which they are told apart.",
        f"Rename one of them, such as {one.stem}_second.safetensors.",
    )


def all_systems(
    networks: dict[str, nn.Module], device: str, sums: Mapping[str, str] | None = None
) -> list[System]:
    """Return the systems that the networks make possible, the pipeline's own first.

    Their version follows from the checksums `sums` of their own weights and the pipeline's, which
    nearly all of them get their input from.
    """
    sums = sums or {}
    base = [sums.get(name, "") for name in BASE_NETWORKS]
    systems = _versioned(pipeline_systems(networks["locnet"], device), base)
    left_out = without_dbscan(networks)
    for name, network in networks.items():
        if name in left_out:
            progress(f"{name}: left out. {left_out[name]}")
            continue
        own = systems_of(name, network, device)
        systems += _versioned(own, [*base, sums.get(name, "")])
    return systems


def without_dbscan(networks: Mapping[str, nn.Module]) -> dict[str, InputError]:
    """Return the names of networks that cannot be used without scikit-learn, and why."""
    try:
        check_dbscan()
    except InputError as error:
        found = {n: getattr(network, "architecture", "") for n, network in networks.items()}
        return {name: error for name, kind in found.items() if kind == "SagittalDetector"}
    return {}


def _versioned(systems: list[System], sums: list[str]) -> list[System]:
    version = hashlib.sha256(" ".join(sums).encode()).hexdigest()[:12]
    return [replace(s, version=version) for s in systems]


def _settings(args: argparse.Namespace) -> dict[str, object]:
    """Return what records depend on that the names of their scans do not say."""
    return {
        "evaluation": "comparison",
        "setting": BEST.name,
        "scene_spacing_mm": args.scene_spacing,
        "shapes": shapes_name(args.shapes),
    }


def _cases(args: argparse.Namespace) -> list[CompareCase]:
    if not 0 <= args.count <= MAX_PHANTOMS or args.seed < 0 or not 0 <= args.lesions <= 1:
        raise InputError(
            "bad_arguments",
            "The number of phantoms, the seed or the share of lesions is out of range.",
            f"At most {MAX_PHANTOMS} phantoms; seeds from 0; shares from 0 to 1.",
        )
    check_spacings((args.spacing, args.scene_spacing))
    check_shapes(args.shapes, args.shape_cache)
    try:
        domains = domain_numbers(args.domains)
    except ValueError as error:
        raise InputError("bad_arguments", f"{error}.".replace("there", "There", 1)) from error
    wanted = wanted_deformed(args)
    library = partial(ShapeLibrary.chosen, args.shapes, args.shape_cache)
    scenes = SceneStore(
        args.scene_spacing,
        args.scenes,
        library,
        wanted=wanted,
        shapes=shapes_name(args.shapes),
    )
    phantoms = phantom_cases(
        args.count, args.seed, scenes, args.spacing, args.lesions, domains, EVALUATION_SEED_START
    )
    cases = [*phantoms, *real_cases(args.public_data, args.cases)]
    return list(with_perturbations(cases, args.perturb))
