"""Ops on codes written in standard ONNX, one file a kind; driven by the pass ``lower-to-qdq``."""
