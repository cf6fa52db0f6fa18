"""Synthetic spine CT with exact truth: anatomies, fractures, a scanner, and banks to train from."""
