"""The scheduler: finds each Pod a node."""
