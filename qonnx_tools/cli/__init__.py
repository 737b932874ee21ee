"""The command ``qonnx``: parse, call, print."""

from qonnx_tools.cli.ending import main

__all__ = ["main"]
