"""Health checks and metrics of the API server, as text.

`/livez`, `/readyz` and `/healthz` with `?verbose`, `?exclude=` and single checks by path; `/metrics` in
Prometheus' format with upstream's names. Called by the HTTP front.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from refkube.api.kinds import KINDS
from refkube.apiserver.pipeline import Pipeline


class Health:
    """The checks of one API server: that it answers, and that its store does."""

    def __init__(self, pipeline: Pipeline):
        self._pipeline = pipeline
        self._checks: dict[str, Callable[[], str | None]] = {"ping": lambda: None, "etcd": self._store}

    def check(self, path: str, options: Mapping[str, str]) -> tuple[int, bytes]:
        """Code and text: 200 "ok" when every check passes; 500 with one line a check when one does not."""
        endpoint, _, single = path.strip("/").partition("/")
        if single and single not in self._checks:
            return 404, b"404 page not found\n"
        asked = [single] if single else [name for name in self._checks if name != options.get("exclude")]
        found = {name: self._checks[name]() for name in asked}
        lines = [f"[+]{name} ok" if wrong is None else f"[-]{name} failed: {wrong}" for name, wrong in found.items()]
        failed = any(wrong is not None for wrong in found.values())
        if not failed and "verbose" not in options:
            return 200, b"ok"
        verdict = f"{endpoint} check {'failed' if failed else 'passed'}"
        return 500 if failed else 200, "\n".join([*lines, verdict, ""]).encode()

    def _store(self) -> str | None:
        try:
            self._pipeline.registry.store.get("/registry/health")
            return None
        except Exception as why:
            return str(why)

    def metrics(self) -> bytes:
        """Requests by verb, resource and code; objects by resource."""
        lines = [
            "# HELP apiserver_request_total [STABLE] Counter of apiserver requests.",
            "# TYPE apiserver_request_total counter",
        ]
        for (verb, group, resource, subresource, code), count in sorted(self._pipeline.requests.items()):
            labels = f'code="{code}",group="{group}",resource="{resource}",subresource="{subresource}"'
            lines.append(f'apiserver_request_total{{{labels},verb="{verb.upper()}"}} {count}')
        lines.append("# HELP apiserver_storage_objects [STABLE] Number of stored objects by resource.")
        lines.append("# TYPE apiserver_storage_objects gauge")
        registry = self._pipeline.registry
        for kind in KINDS:
            if registry.stored(kind) and not kind.storage:
                count = registry.storage(kind).count()
                lines.append(f'apiserver_storage_objects{{resource="{kind.resource}"}} {count}')
        return ("\n".join(lines) + "\n").encode()
