"""Which class rebuilds a network from the architecture name stored with its weights."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from torch import nn

ARCHITECTURES: Mapping[str, str] = MappingProxyType(
    {
        "SubpixelUNet": "vertebra_core.networks.subpixel_unet",
        "LabellingNetwork": "vertebra_core.labelling.network",
        "GradeNetwork": "vertebra_core.grading.network",
        "SingleVertebraNetwork": "vertebra_core.labelling.single_network",
        "SagittalDetector": "vertebra_core.localisation.sagittal_network",
        "VertebraFormer": "vertebra_core.vertebraformer.network",
        "FracNet": "vertebra_core.grading.fracture_networks",
        "FracSegNet": "vertebra_core.grading.fracture_networks",
        "FracResNet": "vertebra_core.grading.fracture_networks",
    }
)
"""Class name -> module that holds it. A class rebuilds itself from ``config()`` keyword arguments.

Weights name one of these and nothing else, so a weights file cannot make the program import code.
"""


def build_network(architecture: str, config: Mapping[str, object]) -> nn.Module:
    """Make a network with random weights.

    Parameters
    ----------
    architecture : str
        A key of `ARCHITECTURES`.
    config : mapping
        What the network's ``config()`` returned.

    Raises
    ------
    KeyError
        If the architecture is unknown.
    TypeError
        If the configuration does not fit it.
    """
    network_class = getattr(import_module(ARCHITECTURES[architecture]), architecture)
    return network_class(**config)


def architecture_of(network: nn.Module) -> str:
    """Return the name under which `network` is registered.

    Raises
    ------
    KeyError
        If its class is not registered.
    """
    name = type(network).__name__
    if ARCHITECTURES.get(name) != type(network).__module__:
        raise KeyError(f"{type(network).__module__}.{name} is not in ARCHITECTURES")
    return name
