"""The store's errors as the API tells them: the pipeline, the HTTP front and the command see the store through here.

Upstream's storage layer does this in apiserver/pkg/storage/etcd3 and errors/storage.go. An etcd that is away makes
upstream answer 500; 503 tells the client the same, that the request may be tried again, without crying bug.
"""

from __future__ import annotations

from refkube.apimachinery import errors
from refkube.store.kv import Compacted, FutureRevision, RequestTooLarge, StoreError

__all__ = ["StoreError", "refusal_of"]


def refusal_of(why: StoreError) -> errors.StatusError:
    """410, 413 or 504 for what the client asked; 503 for a store that cannot be used now."""
    if isinstance(why, Compacted):
        return errors.expired(f"The provided resourceVersion is too old: {why}")
    if isinstance(why, FutureRevision):
        return errors.too_large_resource_version(why.current, why.revision)
    if isinstance(why, RequestTooLarge):
        return errors.too_large_entity(f"Request is too large: {why}")
    return errors.service_unavailable(str(why))
