"""The kinds: their published schemas, one table of names and verbs, their defaults and their validation."""
