"""What predicts the cases of an evaluation: the pipeline, or the files of an earlier run."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..volume import CtVolume
from .measured_pipeline import Analyse, chosen_device, pipeline_of, weights_of
from .prediction import (
    NOTHING_FOUND,
    Predict,
    Prediction,
    failed,
    from_result,
    read_result,
)

if TYPE_CHECKING:
    import torch


def measured(
    args: argparse.Namespace,
    analyse: Analyse | None = None,
    results: Mapping[str, Path] | None = None,
) -> tuple[Predict, dict[str, str]]:
    """Return what predicts cases as the arguments of an evaluation choose it, and its weights.

    Parameters
    ----------
    args : argparse.Namespace
        With ``output``, ``localisers`` and what `measured_pipeline.pipeline_of` needs.
    analyse : callable, optional
        Instead of the pipeline.
    results : mapping, optional
        Name of a case -> folder of an earlier result to take instead.

    Returns
    -------
    predict : callable
        See `predictor`.
    weights : dict of str
        See `measured_pipeline.weights_of`; empty where the pipeline is not run, or nothing is
        recorded.

    Raises
    ------
    InputError
        See `measured_pipeline.chosen_device`.
    WeightsError
        If weights are missing or damaged.
    """
    weights: dict[str, str] = {}
    if analyse is None and results is None:
        analyse = pipeline_of(args)
        weights = weights_of(args) if args.output else {}
    device = chosen_device(args) if args.localisers else None
    return predictor(results, analyse, args.localisers, args.models, device), weights


def predictor(
    results: Mapping[str, Path] | None,
    analyse: Analyse | None,
    with_localisers: bool = False,
    models_folder: Path | None = None,
    device: torch.device | None = None,
) -> Predict:
    """Return what predicts a case from its name and CT: files of an earlier run, or the analysis.

    An analysis that refuses a scan counts as "nothing found" with a note: a scan that cannot be
    analysed must not vanish from the figures.

    Parameters
    ----------
    results : mapping or None
        Name of a case -> folder of its earlier result (`result_folders.result_folders`).
    analyse : callable or None
        Not needed where there are earlier results.
    with_localisers : bool
        Whether to run each localiser alone as well.
    models_folder : Path, optional
        Weights of the localisers; by default the bundled ones.
    device : device, optional
        Of the localisers; by default the processor.
    """
    predict: Predict
    if results is not None:

        def predict(name: str, ct: CtVolume) -> Prediction:
            if name not in results:
                raise InputError(
                    "no_result",
                    f"There is no result of case {name}.",
                    "Analyse it first: `analyze CT -o FOLDER/NAME`, with the FOLDER of --results.",
                )
            return read_result(results[name], ct)

    else:

        def predict(name: str, ct: CtVolume) -> Prediction:
            try:
                return from_result(analyse(ct))
            except InputError as error:
                refused = failed(str(error), ct.hu.shape)
                if error.code != "no_spine":
                    return refused
                return replace(refused, notes=(f"{NOTHING_FOUND}{error}",))

    if not with_localisers:
        return predict
    from .localiser_comparison import comparison

    compare = comparison(models_folder, device or "cpu")
    return lambda name, ct: replace(predict(name, ct), centres_by_localiser=compare(ct))
