"""The program of a sandbox: does nothing, and ends when it is told to. Source: kubernetes/build/pause."""

from __future__ import annotations

from refkube.kubelet.runtime.process import SIGINT, SIGTERM, Body, Process, forever


def main(process: Process) -> Body:
    for number in (SIGINT, SIGTERM):
        process.handlers[number] = lambda: process.exit(0)
    yield forever
    return 0
