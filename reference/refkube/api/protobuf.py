"""Bodies in protobuf as JSON-shaped objects, by the release's definitions and the field numbers in protobuf.txt.

Called by the API server's HTTP front. The numbers are facts of upstream's generated.proto files (k8s.io/api,
apimachinery, apiextensions-apiserver, kube-aggregator).
"""

from __future__ import annotations

from functools import cache

from refkube.api.schema import field_numbers, schema
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object
from refkube.apimachinery.protobuf import Numbers, open_envelope


def decode(body: bytes) -> Object:
    """The object in a body, with its kind and apiVersion. Raises 400 for what is malformed or of no known kind."""
    api_version, kind, raw = open_envelope(body)
    for told, what in ((kind, "Kind"), (api_version, "apiVersion")):
        if not told:
            raise errors.bad_request(f"Object '{what}' is missing in the protobuf message")
    definition = _definitions().get((api_version, kind))
    if definition is None:
        raise errors.bad_request(f'no kind "{kind}" is registered for version "{api_version}"')
    return {"kind": kind, "apiVersion": api_version, **numbers().decode(raw, definition)}


@cache
def numbers() -> Numbers:
    return Numbers(field_numbers(), schema())


@cache
def _definitions() -> dict[tuple[str, str], str]:
    """Definitions by (apiVersion, kind); one may serve several, as DeleteOptions does every group."""
    return {
        (f"{group}/{version}" if group else version, kind): definition
        for definition in numbers().lines
        if definition in schema().definitions
        for group, version, kind in schema().node(definition).gvks
    }
