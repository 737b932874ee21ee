"""The command ``qonnx``: parse, call, print."""

from qonnx_tools.cli.main import main

__all__ = ["main"]
