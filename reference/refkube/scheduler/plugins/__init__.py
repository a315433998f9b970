"""What decides on a node: one filter, or score, in each file."""
