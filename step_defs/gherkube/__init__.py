"""The conformance suite: steps, drivers, runner and reports that hold a Kubernetes against the features."""

__version__ = "0.1.0"
