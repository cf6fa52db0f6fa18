"""What `analyze` and `grade` have in common: options, progress, cancelling, writing."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..cancellation import Cancellation
from ..console import Console, Heartbeat
from ..errors import Cancelled
from ..output.atomic_output import AtomicOutput
from ..output.output_check import check_output
from ..progress import STAGE_WEIGHTS, ProgressTracker
from ..run_arguments import add_device_argument, add_models_argument, add_threads_argument

if TYPE_CHECKING:
    from ..output.scene_mrb import SceneWriting
    from ..pipeline import AnalysisResult
    from ..volume import CtVolume, LabelVolume

PROGRESS_KINDS = ("auto", "bar", "json", "none")

OnProgress = Callable[[str, float], None]

_INPUTS = ("ct", "segmentation", "bodies")
"""Arguments that name what is read, as far as a command has them."""


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of every run that writes results."""
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FOLDER", help="where results go"
    )
    add_device_argument(parser)
    add_threads_argument(parser)
    add_models_argument(parser)
    parser.add_argument(
        "--progress",
        choices=PROGRESS_KINDS,
        default="auto",
        help="bar, json (a JSON object per line on standard output), none, or auto: a bar on "
        "terminals",
    )
    parser.add_argument(
        "--no-scene", action="store_true", help="leave out scene.mrb (needs slicer-core anyway)"
    )


@dataclass(frozen=True)
class Work:
    """What a run computes.

    Attributes
    ----------
    result : AnalysisResult
    ct : CtVolume or None
    grid : CtVolume or LabelVolume
        Where the label maps lie.
    """

    result: AnalysisResult
    ct: CtVolume | None
    grid: CtVolume | LabelVolume


def run_and_write(
    args: argparse.Namespace,
    console: Console,
    compute: Callable[[OnProgress, Callable[[], bool]], Work],
    stages: tuple[str, ...] = tuple(STAGE_WEIGHTS),
    packed_scene: bool = True,
) -> int:
    """Compute, write all results or none, and tell about it.

    Parameters
    ----------
    args : argparse.Namespace
        As parsed with `add_run_arguments`.
    console : Console
    compute : callable
        (on_progress, cancelled) -> Work.
    stages : tuple of str
        Stages of this run, of `progress.STAGE_WEIGHTS`.
    packed_scene : bool
        Compress the CT in ``scene.mrb``.

    Returns
    -------
    int
        Exit status 0.

    Raises
    ------
    VertebraError
    """
    started = time.monotonic()
    check_output(args.output, [getattr(args, name, None) for name in _INPUTS])
    tracker = ProgressTracker({s: w for s, w in STAGE_WEIGHTS.items() if s in stages})
    cancellation = Cancellation()
    with ExitStack() as open_things:
        open_things.enter_context(cancellation)
        # Done in reverse order: what was written goes first, then the reader is told.
        cancellation.before_exit(lambda: console.error(Cancelled()))
        output = open_things.enter_context(AtomicOutput(args.output))
        cancellation.before_exit(output.discard)
        scene, missing = _scene(args, output, packed_scene, open_things)
        if scene is not None:
            cancellation.before_exit(scene.stop)
        heart = open_things.enter_context(Heartbeat(tracker, console, cancellation.cancel))
        work = compute(heart.report, cancellation)
        heart.report("writing", 0.0)
        # Imported here: pictures need VTK, which takes its time to load.
        from ..output.write_results import write_results

        notes = missing + write_results(
            output,
            work.result,
            work.ct,
            work.grid,
            scene,
            lambda fraction: heart.report("writing", fraction),
            cancellation,
        )
        cancellation.check()
        earlier_scene = (args.output / "scene.mrb").exists()
        files = output.commit()
        cancellation.settle()
        heart.report("writing", 1.0)
    if earlier_scene and "scene.mrb" not in {path.name for path in files}:
        # Beside new results it would show those of an earlier analysis.
        notes = (*notes, "The scene.mrb of the earlier results was removed.")
    analysis = work.result.analysis
    seconds = round(time.monotonic() - started, 2)
    content = {
        "folder": str(args.output.resolve()),
        "files": {path.name: str(path.resolve()) for path in files},
        "n_vertebrae": len(analysis.vertebrae),
        "levels": [v.level for v in analysis.vertebrae],
        "warnings": [*analysis.warnings, *notes],
        "seconds": seconds,
    }
    console.result(content, _text(work.result, files, notes, seconds))
    return 0


def _scene(
    args: argparse.Namespace, output: AtomicOutput, packed: bool, open_things: ExitStack
) -> tuple[SceneWriting | None, tuple[str, ...]]:
    """Start writing ``scene.mrb``, or say why it is missing."""
    from ..output.scene_mrb import PACKAGE, SceneWriting, scene_available

    if args.no_scene:
        return None, ()
    if not scene_available():
        return None, (f"scene.mrb was not written: the Python package {PACKAGE} is not installed.",)
    with output.writing():
        writing = SceneWriting(output.path("scene.mrb"), packed)
    return open_things.enter_context(writing), ()


def with_reading_time(result: AnalysisResult, seconds: float) -> AnalysisResult:
    """Add the seconds that reading the file took to the stage ``reading``."""
    manifest = result.analysis.manifest
    stages = {"reading": 0.0, **manifest.seconds_per_stage}
    stages["reading"] = round(stages["reading"] + seconds, 3)
    manifest = replace(manifest, seconds_per_stage=stages)
    return replace(result, analysis=replace(result.analysis, manifest=manifest))


def _text(result, files: tuple[Path, ...], notes: tuple[str, ...], seconds: float) -> str:
    from ..output.text_table import analysis_text

    parts = [analysis_text(result.analysis), ""]
    parts += [f"Note: {text}" for text in (*result.analysis.warnings, *notes)]
    parts += [f"{path}" for path in files]
    parts.append(f"Done in {seconds:.1f} s. For research only.")
    return "\n".join(parts)
