"""What only refkube can tell: its networks as Linux's tools show them, packets' journeys, and machines outside.

Below /debug/refkube at the API server, for administrators: GET show?place=n1&view=ip+route, GET trace?from=POD&to=
ADDRESS:PORT, and machines/NAME, whose exec is spoken as a Pod's. Used by `refkube serve`; `refkube show` and `refkube
trace` ask it.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, unquote

import orjson

from refkube.apimachinery import errors
from refkube.apimachinery.rest import HttpRequest, HttpResponse, UserInfo
from refkube.cluster import Cluster
from refkube.kubelet.server import TEXT, executed
from refkube.look import VIEWS, Look, WrongUse
from refkube.outside import Outside

PATH = "/debug/refkube"
ADMINISTRATORS = "system:masters"


class Debug:
    def __init__(self, cluster: Cluster):
        self._look, self._outside = Look(cluster), Outside(cluster)

    def serve(self, http: HttpRequest, user: UserInfo) -> HttpResponse:
        """Errors: 403, 404, 400 where what is asked for cannot be shown."""
        if ADMINISTRATORS not in user.groups:
            raise errors.forbidden("debug", "", f'User "{user.name}" is no administrator')
        query = {name: values for name, values in parse_qs(http.query).items() if values}
        try:
            match [unquote(part) for part in http.path.removeprefix(PATH).strip("/").split("/")]:
                case ["show"]:
                    views = self._look.show(query["place"][0], query.get("view") or list(VIEWS))
                    return HttpResponse(200, TEXT, "\n".join(views).encode())
                case ["trace"]:
                    return HttpResponse(200, TEXT, stream=_Traced(self._look, query["from"][0], query["to"][0]))
                case ["machines", name]:
                    machine = self._outside.machine(name)
                    told = {"name": machine.sandbox.name, "address": machine.sandbox.address}
                    return HttpResponse(200, [("content-type", "application/json")], orjson.dumps(told))
                case ["machines", name, "exec"]:
                    machine = self._outside.machine(name)
                    self._outside.lead()
                    return executed(http, machine, query)
        except WrongUse as why:
            raise errors.bad_request(str(why)) from None
        except KeyError as missing:
            raise errors.bad_request(f"{missing.args[0]} must be told") from None
        raise errors.unknown_path()


class _Traced:
    """A journey that is told once the connection has come to its end."""

    def __init__(self, look: Look, origin: str, target: str):
        self._end: Callable[[], None] = lambda: None
        self._deliver: Callable[[bytes], None] = lambda data: None
        self._began = look.begin(origin, target, self._told)

    def start(self, deliver: Callable[[bytes], None], closed: Callable[[], None]) -> None:
        self._deliver, self._end = deliver, closed

    def _told(self, lines: list[str]) -> None:
        self._deliver("".join(f"{line}\n" for line in lines).encode())
        self._end()

    def stop(self) -> None:
        self._began.close()
