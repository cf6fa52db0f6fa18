"""``python -m vertebra_core``."""

import sys

from vertebra_core.command_line import main

if __name__ == "__main__":
    sys.exit(main())
