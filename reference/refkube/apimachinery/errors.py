"""Errors as the Kubernetes API tells them: a `Status` object with code, reason and causes.

Raised by every layer below the HTTP front, which turns them into answers; raised again by the clients.
Reasons and codes: apimachinery/pkg/api/errors and pkg/apis/meta/v1 (StatusReason, CauseType).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

MOST_CAUSES = 1000


class FieldError(NamedTuple):
    """One violated rule of one field; `type` is a CauseType (apimachinery/pkg/util/validation/field)."""

    type: str
    field: str
    message: str


def required(field: str, detail: str = "") -> FieldError:
    return FieldError("FieldValueRequired", field, _message("Required value", None, detail))


def invalid(field: str, value: object, detail: str) -> FieldError:
    return FieldError("FieldValueInvalid", field, _message("Invalid value", _show(value), detail))


def duplicate(field: str, value: object) -> FieldError:
    return FieldError("FieldValueDuplicate", field, _message("Duplicate value", _show(value), ""))


def not_supported(field: str, value: object, supported: Iterable[str]) -> FieldError:
    names = ", ".join(f'"{name}"' for name in supported)
    return FieldError(
        "FieldValueNotSupported",
        field,
        _message("Unsupported value", _show(value), f"supported values: {names}" if names else ""),
    )


def field_not_found(field: str, value: object) -> FieldError:
    return FieldError("FieldValueNotFound", field, _message("Not found", _show(value), ""))


def field_forbidden(field: str, detail: str) -> FieldError:
    return FieldError("FieldValueForbidden", field, _message("Forbidden", None, detail))


def too_long(field: str, limit: int) -> FieldError:
    return FieldError("FieldValueTooLong", field, _message("Too long", None, f"may not be more than {limit} bytes"))


def too_many(field: str, actual: int, limit: int) -> FieldError:
    detail = f"must have at most {limit} item{'' if limit == 1 else 's'}"
    return FieldError("FieldValueTooMany", field, _message("Too many", str(actual), detail))


def type_invalid(field: str, value: object, detail: str) -> FieldError:
    return FieldError("FieldValueTypeInvalid", field, _message("Invalid value", _show(value), detail))


class StatusError(Exception):
    """An API call's failure; `status` is the metav1.Status that a client would read."""

    def __init__(self, status: dict[str, Any], headers: dict[str, str] | None = None):
        super().__init__(status.get("message", ""))
        self.status = status
        self.headers = headers or {}

    @property
    def code(self) -> int:
        return self.status.get("code", 500)

    @property
    def reason(self) -> str:
        return self.status.get("reason", "")

    @property
    def message(self) -> str:
        return self.status.get("message", "")


def status_error(
    code: int, reason: str, message: str, details: dict[str, Any] | None = None, headers: dict[str, str] | None = None
) -> StatusError:
    status: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
    }
    if details is not None:
        status["details"] = details
    status["code"] = code
    return StatusError(status, headers)


def not_found(resource: str, name: str) -> StatusError:
    """`resource` is "pods" or "deployments.apps"."""
    return status_error(404, "NotFound", f'{resource} "{name}" not found', _details(resource, name))


def unknown_path() -> StatusError:
    """For a path that no handler serves."""
    return status_error(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: str, name: str) -> StatusError:
    return status_error(409, "AlreadyExists", f'{resource} "{name}" already exists', _details(resource, name))


def conflict(resource: str, name: str, why: str) -> StatusError:
    message = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return status_error(409, "Conflict", message, _details(resource, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def apply_conflict(causes: list[dict[str, str]], message: str) -> StatusError:
    """`causes` are {reason: FieldManagerConflict, message, field}."""
    return status_error(409, "Conflict", message, {"causes": causes})


def invalid_object(group: str, kind: str, name: str, errors: list[FieldError]) -> StatusError:
    """422 with one cause a field error; the message lists them as upstream's NewInvalid does.

    A body of 3 MB can be wrong in so many places that they would be told in 100 MB: no more than MOST_CAUSES are.
    """
    errors = errors[:MOST_CAUSES]
    told = list(dict.fromkeys(f"{e.field}: {e.message}" for e in errors))
    listed = told[0] if len(told) == 1 else "[" + ", ".join(told) + "]"
    qualified = f"{kind}.{group}" if group else kind
    details: dict[str, Any] = {"name": name, "group": group, "kind": kind}
    details = {key: value for key, value in details.items() if value}
    details["causes"] = [{"reason": e.type, "message": e.message, "field": e.field} for e in errors]
    return status_error(422, "Invalid", f'{qualified} "{name}" is invalid: {listed}', details)


def bad_request(message: str) -> StatusError:
    return status_error(400, "BadRequest", message)


def unauthorized(message: str = "Unauthorized") -> StatusError:
    return status_error(401, "Unauthorized", message)


def forbidden(resource: str, name: str, why: str) -> StatusError:
    subject = f'{resource} "{name}"' if name else resource
    return status_error(403, "Forbidden", f"{subject} is forbidden: {why}", _details(resource, name))


def method_not_allowed() -> StatusError:
    """For what is served, but not for this verb."""
    return status_error(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def not_acceptable(supported: Iterable[str]) -> StatusError:
    message = "only the following media types are accepted: " + ", ".join(supported)
    return status_error(406, "NotAcceptable", message)


def unsupported_media_type(supported: Iterable[str]) -> StatusError:
    message = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(supported)
    return status_error(415, "UnsupportedMediaType", message)


def expired(message: str) -> StatusError:
    """410: a resourceVersion or continue token that is no longer served."""
    return status_error(410, "Expired", message)


def gone(message: str) -> StatusError:
    return status_error(410, "Gone", message)


def too_large_entity(message: str) -> StatusError:
    return status_error(413, "RequestEntityTooLarge", message)


def too_many_requests(message: str, retry_after: int) -> StatusError:
    details = {"retryAfterSeconds": retry_after} if retry_after else {}
    headers = {"retry-after": str(retry_after)} if retry_after else {}
    return status_error(429, "TooManyRequests", message, details, headers)


def too_large_resource_version(current: int, asked: int) -> StatusError:
    """504 with the cause that makes clients retry instead of relisting."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    details = {"causes": [cause], "retryAfterSeconds": 1}
    return status_error(504, "Timeout", f"Timeout: Too large resource version: {asked}, current: {current}", details)


def internal_error(why: str) -> StatusError:
    details = {"causes": [{"message": why}]}
    return status_error(500, "InternalError", f"Internal error occurred: {why}", details)


def service_unavailable(why: str) -> StatusError:
    return status_error(503, "ServiceUnavailable", why)


def _details(resource: str, name: str) -> dict[str, Any]:
    plural, _, group = resource.partition(".")
    details = {"name": name, "group": group, "kind": plural}
    return {key: value for key, value in details.items() if value}


def _message(what: str, shown: str | None, detail: str) -> str:
    text = what if shown is None else f"{what}: {shown}"
    return f"{text}: {detail}" if detail else text


def printed(value: object) -> str:
    """A value as Go's %v prints it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{name}:{printed(item)}" for name, item in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(printed, value)) + "]"
    if value is None:
        return "<nil>"
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _show(value: object) -> str:
    """A value as upstream prints it in an error: strings quoted, the rest as JSON."""
    if value is None:
        return "null"
    if isinstance(value, str | int | float | dict | list):
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    return str(value)
