"""Which feature maps are stored compressed, with which transforms and steps, and the bytes that they then take."""
