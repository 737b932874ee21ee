"""Quantization schemes: each proposes a plan from what calibration saw. One file a scheme."""
