"""Segmenting single vertebrae and their bodies around known centres."""
