"""Checks, benchmarks and helpers of the project's own development; not part of what is installed."""
