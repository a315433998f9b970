"""The ways from a step to a system under test."""
