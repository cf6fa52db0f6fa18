"""What is to be found in phantoms, beyond what is drawn as in patients."""

from __future__ import annotations

from dataclasses import dataclass

FUSED_SHARE = 0.05
"""Share of spines with fused vertebrae. Diffuse idiopathic hyperostosis alone is seen in a tenth
of elderly patients' CTs; in most of them no bridge is whole."""

MOST_DEFORMED = 12
"""More deformed bodies of one kind a spine is not given: as many as Genant's method grades."""

MOST_DEFORMED_TOGETHER = 20
"""As many bodies can be deformed (C4 to L5) in the shortest spines that are drawn, which lack T12
or L5."""


@dataclass(frozen=True)
class WantedFindings:
    """Findings of the scenes of a bank.

    Attributes
    ----------
    lesion_share : float
        Probability that a scene has lytic or sclerotic lesions.
    n_fractures : int or None
        Fractures in every spine; None draws their number.
    n_mild : int
        Bodies in every spine that have lost height, but too little for grade 1.
    fused_share : float
        Probability that vertebrae are fused.
    fracture_in_view : bool
        Whether scenes show at least one of the fractures, if there are any; else they may all lie
        outside the part of the body that is covered.
    """

    lesion_share: float = 0.0
    n_fractures: int | None = None
    n_mild: int = 0
    fused_share: float = FUSED_SHARE
    fracture_in_view: bool = False

    @property
    def tag(self) -> str:
        """Tell scenes with these numbers of deformed bodies from others, for names of files."""
        fractures = "" if self.n_fractures is None else f"_fractures{self.n_fractures}"
        return fractures + (f"_mild{self.n_mild}" if self.n_mild else "")


DRAWN_FINDINGS = WantedFindings()
