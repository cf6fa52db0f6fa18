"""An analysis that refuses every scan, for tests of what commands ask of it."""

from __future__ import annotations

from vertebra_core.errors import InputError


def refuse_all_scans(monkeypatch) -> list:
    """Replace `pipeline.analyze` by one that refuses; return the growing list of its options."""
    options = []

    def analyze(ct, how):
        options.append(how)
        raise InputError("no_spine", "No vertebra was found in this scan.")

    monkeypatch.setattr("vertebra_core.pipeline.analyze", analyze)
    return options
