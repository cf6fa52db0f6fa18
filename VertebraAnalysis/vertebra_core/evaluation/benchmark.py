"""``benchmark``: seconds per stage and peak memory, beside a stated reference network.

With ``--settings`` it sets seconds and accuracy of every setting side by side instead; see
`benchmark_settings`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from ..errors import InputError, VertebraError
from ..loading import quick_imports
from ..run_arguments import add_device_argument, add_models_argument
from ..settings import BEST, add_setting_argument, setting_named
from .output import add_output_arguments, print_json, progress
from .tables import Table, decimals, join

# The child states its own peak, so that neither this process nor the reference counts.
_CHILD = """
import json, sys
from vertebra_core.evaluation.benchmark import told_once
result = told_once(*sys.argv[2:])
open(sys.argv[1], "w").write(json.dumps(result))
"""


@dataclass(frozen=True)
class Timing:
    """One timed analysis.

    Attributes
    ----------
    wall_s : float
        From start of the process to its end, imports and loading of weights included.
    seconds_per_stage : dict of float
    peak_memory_mb : float or None
        Greatest resident memory of the process, where the system tells it.
    """

    wall_s: float
    seconds_per_stage: dict[str, float]
    peak_memory_mb: float | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``benchmark``."""
    parser.add_argument(
        "ct", type=Path, nargs="?", help="CT to analyse; without it the bundled sample"
    )
    parser.add_argument("--repeat", type=int, default=3, help="runs; the median one is stated")
    parser.add_argument(
        "--no-reference", action="store_true", help="leave out the reference network"
    )
    add_device_argument(parser)
    add_models_argument(parser)
    add_setting_argument(parser)
    parser.add_argument(
        "--settings",
        action="store_true",
        help="compare both settings and single choices between them, in seconds and accuracy",
    )
    truth = parser.add_argument_group("truth, for --settings")
    truth.add_argument("--labels", type=Path, metavar="FILE", help="label map of the vertebrae")
    truth.add_argument("--bodies", type=Path, metavar="FILE", help="label map of their bodies")
    truth.add_argument("--centres", type=Path, metavar="JSON", help="centres with their levels")
    add_output_arguments(parser)


def run(
    args: argparse.Namespace,
    time_once: Callable[[Path, str, str, Path | None], Timing] | None = None,
    reference: Callable[[int], list[float]] | None = None,
) -> int:
    """Run ``benchmark``.

    Parameters
    ----------
    args : argparse.Namespace
        As parsed with `add_arguments`.
    time_once, reference : callable, optional
        By default `time_analysis` and `reference_network.time_reference`.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    InputError
        If there is no such CT, or it cannot be analysed.
    VertebraError
        If the analysis fails.
    """
    ct = args.ct or sample_ct()
    if not ct.exists():
        raise InputError("no_such_file", f"There is no file {ct}.", "Give a CT to analyse.")
    if args.repeat < 1:
        raise InputError("bad_repeat", "At least one run is needed.", "Try --repeat 3.")
    _check_truth_given(args)
    if args.settings:
        from .benchmark_settings import run as compare_settings

        return compare_settings(args, ct)
    timings = []
    for k in range(args.repeat):
        timing = (time_once or time_analysis)(ct, args.device, args.setting, args.models)
        timings.append(timing)
        progress(f"run {k + 1} of {args.repeat}: {timing.wall_s:.1f} s")
    seconds = None
    if not args.no_reference:
        if reference is None:
            from .reference_network import time_reference as reference
        seconds = median(reference(args.repeat))
    figures = benchmark_figures(ct.name, args.setting, timings, seconds, args.models)
    if args.json:
        print_json(figures)
    else:
        print(join([benchmark_table(figures)], args.markdown))
    return 0


def _check_truth_given(args: argparse.Namespace) -> None:
    """Refuse a truth that nothing would be measured against."""
    named = {"--labels": args.labels, "--bodies": args.bodies, "--centres": args.centres}
    given = [option for option, path in named.items() if path is not None]
    if given and not args.settings:
        raise InputError(
            "bad_arguments",
            f"{' and '.join(given)} would change nothing without --settings.",
            "Add --settings to measure accuracy too.",
        )
    if given == ["--bodies"]:
        raise InputError(
            "bad_arguments",
            "--bodies alone does not say which vertebrae there are.",
            "Add the label map of the vertebrae with --labels.",
        )


def benchmark_figures(
    name: str,
    setting: str,
    timings: Sequence[Timing],
    reference_s: float | None,
    models_folder: Path | None = None,
) -> dict:
    """Return the seconds of the median one of `timings`, also in units of the reference's.

    Of an even number of runs it is the faster one in the middle. Its stages add up to the whole
    process, which medians of single stages would not; ``start-up`` is what no stage accounts for:
    the start of the process, loading of packages, and its end.
    """
    from .reference_network import DESCRIPTION

    middle = sorted(timings, key=lambda t: t.wall_s)[(len(timings) - 1) // 2]
    stages = middle.seconds_per_stage
    peaks = [t.peak_memory_mb for t in timings if t.peak_memory_mb is not None]
    return {
        "ct": name,
        "setting": setting,
        "models": str(models_folder) if models_folder else None,
        "runs": len(timings),
        "processors": available_processors(),
        "wall_s": middle.wall_s,
        "wall_s_all": [t.wall_s for t in timings],
        "seconds_per_stage": {"start-up": middle.wall_s - sum(stages.values()), **stages},
        "peak_memory_mb": max(peaks, default=None),
        "reference": DESCRIPTION if reference_s is not None else None,
        "reference_s": reference_s,
        "wall_in_references": middle.wall_s / reference_s if reference_s else None,
    }


def benchmark_table(figures: dict) -> Table:
    """Show what `benchmark_figures` returned."""
    reference_s = figures["reference_s"]

    def row(name: str, seconds: float) -> tuple[str, str | None, str | None]:
        ratio = seconds / reference_s if reference_s else None
        return name, decimals(seconds), decimals(ratio)

    rows = [row(stage, s) for stage, s in figures["seconds_per_stage"].items()]
    rows.append(row("whole process", figures["wall_s"]))
    if reference_s is not None:
        rows.append(row("reference", reference_s))
    peak_mb = figures["peak_memory_mb"]
    note = f"Peak memory {'-' if peak_mb is None else decimals(peak_mb / 1024)} GB."
    note += " Start-up is loading of packages; results are not written."
    if reference_s is not None:
        note += f" Reference: {figures['reference']}, timed in the same run."
    what = f"{figures['ct']}, {figures['setting']}"
    if figures["models"]:
        what += f", weights of {figures['models']}"
    title = f"{what}: median of {figures['runs']} runs, {figures['processors']} processors"
    return Table(title, ("stage", "seconds", "in references"), tuple(rows), note)


def time_analysis(
    ct: Path, device: str = "auto", setting: str = BEST.name, models_folder: Path | None = None
) -> Timing:
    """Analyse `ct` in a process of its own and state its time and memory.

    Raises
    ------
    InputError
        If `ct` cannot be analysed, or not so.
    VertebraError
        If the process fails.
    """
    package_root = str(Path(__file__).resolve().parents[2])
    paths = [package_root, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        command = [sys.executable, "-c", _CHILD, str(out), str(ct), device, setting]
        command += [str(models_folder)] if models_folder else []
        started = time.perf_counter()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        wall = time.perf_counter() - started
        if done.returncode != 0 or not out.exists():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise VertebraError("analysis_failed", f"The analysis of {ct.name} failed: {last}")
        result = json.loads(out.read_text())
    if "error" in result:
        message, hint = result["error"]
        raise InputError("analysis_failed", f"The analysis of {ct.name} failed: {message}", hint)
    return Timing(wall, result["seconds_per_stage"], result["peak_memory_mb"])


def told_once(ct: str, device: str, setting: str, models_folder: str | None = None) -> dict:
    """Return what `analyse_once` does and this process's peak memory, or why there is no result."""
    try:
        result = analyse_once(ct, device, setting, models_folder)
    except VertebraError as error:
        return {"error": [error.message, error.hint]}
    return {**result, "peak_memory_mb": peak_memory_mb()}


def analyse_once(ct: str, device: str, setting: str, models_folder: str | None = None) -> dict:
    """Read and analyse a CT; return its seconds per stage."""
    with quick_imports():
        from ..pipeline import AnalysisOptions, analyze
        from ..reading import read_ct

    started = time.perf_counter()
    volume = read_ct(Path(ct))
    reading = time.perf_counter() - started
    options = AnalysisOptions(
        device=device,
        setting=setting_named(setting),
        models_folder=Path(models_folder) if models_folder else None,
    )
    seconds = {"reading": 0.0, **analyze(volume, options).analysis.manifest.seconds_per_stage}
    # The stage of that name holds the weights' loading, not the file's.
    seconds["reading"] += reading
    return {"seconds_per_stage": seconds}


def peak_memory_mb() -> float | None:
    """Return the greatest resident memory of this process; None where the system does not tell."""
    try:
        import resource
    except ImportError:
        # Windows has no such module.
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)


def available_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def sample_ct() -> Path:
    """Return the bundled sample CT.

    Raises
    ------
    InputError
        If this installation has none.
    """
    folder = Path(__file__).resolve().parents[3] / "Resources"
    found = sorted(folder.rglob("*.nii.gz")) + sorted(folder.rglob("*.nrrd"))
    if not found:
        raise InputError(
            "no_sample", "This installation has no sample CT.", "Give the path of a CT."
        )
    return found[0]
