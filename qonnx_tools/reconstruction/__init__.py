"""Weights chosen by what they do to a layer's output: codes, scales and biases fitted to calibration images."""
