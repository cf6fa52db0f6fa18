"""Metrics, tables and the `evaluate` and `benchmark` commands."""
