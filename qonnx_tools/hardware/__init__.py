"""Processing elements in Verilog (``*.v``), and the memory images that they and their testbenches read."""
