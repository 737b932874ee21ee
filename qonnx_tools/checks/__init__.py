"""What tools reject, misread or silently change in a graph: one table of rules a tool or concern."""
