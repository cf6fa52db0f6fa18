"""Naming of vertebrae: level statistics, positional logic, the image network."""
