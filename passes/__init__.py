"""Graph passes, one a file: each module defines one pass of the same name."""
