"""``python -m vertebra_core``."""

from vertebra_core.program import run

if __name__ == "__main__":
    run()
