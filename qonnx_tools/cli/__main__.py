"""``python -m qonnx_tools.cli`` is the command ``qonnx``."""

import sys

from qonnx_tools.cli import main

if __name__ == "__main__":
    sys.exit(main())
