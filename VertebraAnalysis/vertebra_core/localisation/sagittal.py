"""Find the centres of vertebral bodies by boxes on every sagittal slice (Lu et al. 2025)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from ..devices import bfloat16_is_fast
from ..errors import Cancelled
from ..networks.normalisation import AIR, BONE, normalise_hu_array
from ..volume import CtVolume
from .dbscan import Cluster, dbscan
from .localise import Centre, Localisation, along_the_spine, check_working_grid
from .sagittal_clusters import BoxCluster, ClusterOptions, SliceBoxes, cluster_boxes
from .sagittal_network import OBJECT, WORKING_SPACING_MM, decode_boxes
from .sliding_window import Predicate, Progress

_LEAST_BONE_PIXELS = 12
"""0.5 cm2 above 120 HU: a slice with less shows no body."""


@dataclass(frozen=True)
class SagittalOptions:
    """How boxes are found and joined.

    Attributes
    ----------
    threshold : float
        Least confidence of a box.
    overlap : float
        Of two boxes on a slice whose overlap (IoU) exceeds this, the better one stays.
    clusters : ClusterOptions
    keep_chain_only : bool
        Drop clusters that do not line up as a spine, as for LocNet; the original keeps all.
    slices_at_once : int
    """

    threshold: float = 0.3
    overlap: float = 0.4
    clusters: ClusterOptions = field(default_factory=ClusterOptions)
    keep_chain_only: bool = True
    slices_at_once: int = 16


def localise_sagittal(
    ct: CtVolume,
    network: nn.Module,
    options: SagittalOptions | None = None,
    on_progress: Progress | None = None,
    cancelled: Predicate | None = None,
    device: str = "cpu",
    cluster: Cluster = dbscan,
) -> Localisation:
    """Find the centres of all vertebral bodies.

    Parameters
    ----------
    ct : CtVolume
        On the working grid of 2 mm.
    network : Module
        `SagittalDetector` on `device`.
    options : SagittalOptions, optional
    on_progress : callable, optional
        Called with the fraction done.
    cancelled : callable, optional
        Asked between batches of slices; True ends the search with `Cancelled`.
    device : str
    cluster : callable
        DBSCAN.

    Returns
    -------
    Localisation
        ``votes`` of a centre is the number of its boxes.

    Raises
    ------
    ValueError
        If the grid is not the working grid.
    InputError
        If DBSCAN is not installed.
    Cancelled
    """
    options = options or SagittalOptions()
    check_working_grid(ct, WORKING_SPACING_MM)
    boxes = detect_boxes(ct, network, options, on_progress, cancelled, device)
    return centres_from_boxes(boxes, ct, options, cluster)


def centres_from_boxes(
    boxes: SliceBoxes, ct: CtVolume, options: SagittalOptions, cluster: Cluster = dbscan
) -> Localisation:
    """Join boxes to centres; `localise_sagittal` without its network."""
    found = cluster_boxes(boxes, options.clusters, cluster)
    most = max((c.count for c in found), default=1)
    centres = [_centre(c, ct, most) for c in found]
    return along_the_spine(centres, options.keep_chain_only)


def detect_boxes(
    ct: CtVolume,
    network: nn.Module,
    options: SagittalOptions,
    on_progress: Progress | None = None,
    cancelled: Predicate | None = None,
    device: str = "cpu",
) -> SliceBoxes:
    """Find boxes on all sagittal slices of a CT on the 2 mm grid.

    Raises
    ------
    Cancelled
        If `cancelled`, asked between batches of slices, returns True.
    """
    network.eval()
    image = normalise_hu_array(ct.hu)
    wanted = [x for x in range(image.shape[2]) if _may_hold_bone(image[:, :, x])]
    padding = [-n % network.size_multiple for n in image.shape[:2]]
    kind, bfloat16 = torch.device(device).type, bfloat16_is_fast(device)
    centers, sizes, scores = [], [], []
    for start in range(0, len(wanted), options.slices_at_once):
        if cancelled and cancelled():
            raise Cancelled()
        chosen = wanted[start : start + options.slices_at_once]
        slices = torch.from_numpy(np.ascontiguousarray(image[:, :, chosen].transpose(2, 0, 1)))
        slices = nn.functional.pad(slices, (0, padding[1], 0, padding[0]), value=AIR)[:, None]
        with torch.no_grad(), torch.autocast(kind, torch.bfloat16, enabled=bfloat16):
            output = network(slices.to(device)).float().cpu()
        boxes, confidence = decode_boxes(output), torch.sigmoid(output[:, OBJECT])
        for x, own_boxes, own_confidence in zip(chosen, boxes, confidence, strict=True):
            hot = own_confidence > options.threshold
            kept, score = best_boxes(
                own_boxes[:, hot].T.numpy(), own_confidence[hot].numpy(), options.overlap
            )
            middle = np.column_stack([(kept[:, :2] + kept[:, 2:]) / 2, np.full(len(kept), x)])
            centers.append(middle * WORKING_SPACING_MM)
            sizes.append((kept[:, 2:] - kept[:, :2]) * WORKING_SPACING_MM)
            scores.append(score)
        if on_progress:
            on_progress((start + len(chosen)) / len(wanted))
    if not centers:
        return SliceBoxes(np.zeros((0, 3)), np.zeros((0, 2)), np.zeros(0))
    return SliceBoxes(np.concatenate(centers), np.concatenate(sizes), np.concatenate(scores))


def best_boxes(
    boxes: np.ndarray, scores: np.ndarray, overlap: float
) -> tuple[np.ndarray, np.ndarray]:
    """Keep the best of boxes (n, 4: low z, low y, high z, high y) that overlap; best first."""
    order = np.argsort(-scores, kind="stable")
    boxes, scores = boxes[order], scores[order]
    kept: list[int] = []
    for i in range(len(boxes)):
        if not kept or iou(boxes[i], boxes[kept]).max() <= overlap:
            kept.append(i)
    return boxes[kept].reshape(-1, 4), scores[kept]


def iou(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Overlap of a box with others (n, 4), each as intersection over union."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[2:], others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(1)
    areas = np.clip(others[:, 2:] - others[:, :2], 0, None).prod(1)
    own = float(np.clip(box[2:] - box[:2], 0, None).prod())
    return shared / np.maximum(areas + own - shared, 1e-9)


def _may_hold_bone(plane: np.ndarray) -> bool:
    return int(np.count_nonzero(plane > BONE)) >= _LEAST_BONE_PIXELS


def _centre(found: BoxCluster, ct: CtVolume, most: int) -> Centre:
    index = np.array(found.center_mm) / WORKING_SPACING_MM
    position = tuple(float(v) for v in ct.index_to_lps(index))
    score = found.score * (0.5 + 0.5 * found.count / most)
    return Centre(position, float(score), float(found.count), found.score)
