"""Training a network through its number formats."""
