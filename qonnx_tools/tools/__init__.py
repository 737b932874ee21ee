"""The tools that a QONNX graph can be made for, one file a tool: what each of them takes."""
