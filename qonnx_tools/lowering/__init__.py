"""From a graph of quantizers on floats to one whose wires carry integer codes. One file a kind of operator."""
