"""How many threads a run may ask for; light to import, unlike what uses them."""

MAX_THREADS = 1024
"""More than any computer has cores; libraries crash on absurd numbers."""
