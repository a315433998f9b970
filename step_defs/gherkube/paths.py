"""Where the suite's data lies: beside the package in an installed wheel, at the root of a checkout otherwise.

Called by everything that reads features, manifests or schemas. No other module knows about the two layouts.
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def features_dir() -> Path:
    """The folder of the specification: one folder a profile, requirements.yaml, manifests/."""
    return _data("features")


def schemas_dir() -> Path:
    """The folder of the JSON Schemas of everything that the suite exchanges with the world."""
    return _data("schemas")


def _data(name: str) -> Path:
    beside = PACKAGE / name
    return beside if beside.is_dir() else PACKAGE.parents[1] / name
