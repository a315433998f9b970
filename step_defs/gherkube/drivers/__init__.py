"""The ways from a step to a system under test.

`open_target` turns what the user wrote after --target into an open driver. Drivers are imported when asked for, so
that a run against a live cluster does not load the reference.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from gherkube.drivers.base import Driver, TargetError

TARGETS = {
    "reference": "the reference implementation in this process, on virtual time",
    "kernel": "the reference's control plane over the data path of a real Linux kernel; option: ?speed=N",
    "kubeconfig:PATH": "any live Kubernetes API; options: ?context=NAME&speed=N&capabilities=A,B&outside=PATH",
    "http://URL": "a system behind a harness that speaks the harness protocol; option: ?patience=SECONDS",
}


def open_target(text: str) -> Driver:
    """An open driver for one of TARGETS, with [?option=value&...] after it. Raises TargetError."""
    address, _, query = text.partition("?")
    kind, colon, rest = address.partition(":")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if kind == "reference" and not colon:
        from gherkube.drivers.reference import ReferenceDriver

        numbers = {name: _number(text, name, options.pop(name)) for name in ("nodes", "seed") if name in options}
        _none_left(text, options, ("nodes", "seed"))
        return ReferenceDriver(**numbers)
    if kind == "kernel" and not colon:
        from gherkube.drivers.kernel import SPEED, KernelDriver

        speed = _number(text, "speed", options.pop("speed", str(SPEED)))
        proxy = options.pop("kube-proxy", "")  # the command that starts somebody's, of `gherkube run --component`
        _none_left(text, options, ("speed",))
        return KernelDriver(speed, proxy)
    if kind == "kubeconfig" and rest:
        from gherkube.drivers.kubeconfig import OPTIONS, KubeconfigDriver

        _none_left(text, {name: value for name, value in options.items() if name not in OPTIONS}, OPTIONS)
        return KubeconfigDriver(text, rest, options)
    if kind in ("http", "https") and rest.startswith("//"):
        from gherkube.drivers.harness import HarnessDriver

        patience = _number(text, "patience", options.pop("patience", "30"))
        _none_left(text, options, ("patience",))
        return HarnessDriver(text, address, patience)
    raise TargetError(f"no such target: {text!r}; targets: {', '.join(TARGETS)}")


def _number(target: str, name: str, value: str) -> int:
    if not value.isdecimal():
        raise TargetError(f"target {target!r}: {name}={value!r} is not a number")
    return int(value)


def _none_left(target: str, options: dict[str, str], known: tuple[str, ...]) -> None:
    if options:
        raise TargetError(f"target {target!r}: no option {next(iter(options))!r}; options: {', '.join(known)}")
