"""Inference core of VertebraAnalysis: from a CT volume to named and graded vertebrae."""

__version__ = "0.1.0"
