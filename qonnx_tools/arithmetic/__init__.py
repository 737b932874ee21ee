"""The specification: number formats, rounding rules and operators, in plain numpy.

Nothing here knows ONNX. The ONNX function bodies and the C++ kernels equal these functions to the bit.
"""
