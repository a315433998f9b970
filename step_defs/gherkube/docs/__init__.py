"""Living documentation: what the features say, what came of them in a run, and what the components said meanwhile."""
