"""Bit-width search: the cheapest plan within an accuracy budget."""
