"""All checks of the project, one after another, each with its time: what `.ci/run` and a contributor call.

`python ci/check.py` runs all; names as arguments run some ("python ci/check.py lint features"). Exit code 0 if all
passed, 1 if one failed. A check that cannot run here is skipped, and says why.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PYTEST = (str(BIN / "pytest"), "-q", "-p", "no:cacheprovider")
# What `refkube serve --nodes 3` is capable of and a driver cannot probe.
SERVED = ("pods.run", "pods.real", "dns", "storage.provision", "lb.provision")
OUTSIDE = "/debug/refkube/machines"
# The profiles of the data path: the others say nothing that a kernel could change.
NETWORK = ("service-network", "pod-network", "ipvs", "flannel")  # those that take longest first
# Those in which a store shows: versions, watches, lists, writers at once.
STORE = ("api", "selection", "admission", "discovery")
# What is asked of components that are processes, without storage: what a Pod writes there is on its node alone. STORE
# is asked above, and does not show who the components are; workloads and cluster would take another three minutes.
APART = ("scheduling", "kubelet")
SPEED = 4  # of six processes on few processors: waits of 30 seconds are 7
sys.path.insert(0, str(ROOT))


class Skipped(Exception):
    """A check that cannot run here; the message says why."""


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        print(f"no such check: {', '.join(unknown)}; there are {', '.join(CHECKS)}", file=sys.stderr)
        return 3
    outcomes: list[tuple[str, str, float]] = []
    for name in names or list(CHECKS):
        print(f"\n=== {name}", flush=True)
        began = time.monotonic()
        try:
            outcome = "passed" if CHECKS[name]() else "FAILED"
        except Skipped as why:
            outcome = f"skipped: {why}"
        outcomes.append((name, outcome, time.monotonic() - began))
    print("\n=== summary")
    for name, outcome, seconds in outcomes:
        print(f"{seconds:7.1f} s  {name:<18} {outcome}")
    told = [outcome.partition(":")[0] for _, outcome, _ in outcomes]
    print(f"checks: {told.count('passed')} passed, {told.count('FAILED')} failed, {told.count('skipped')} skipped")
    return 1 if "FAILED" in told else 0


def run(*command: str, **environment: str) -> bool:
    print("$", shown(command), flush=True)
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False).returncode == 0


def shown(command: tuple[str, ...]) -> str:
    return " ".join(command).replace(str(ROOT) + "/", "").replace(str(BIN) + "/", "")


def side_by_side(*commands: tuple[str, ...]) -> bool:
    """Each has one processor, as a kernel of User Mode Linux has; what one says is told when it has ended."""

    def told(command: tuple[str, ...]) -> tuple[subprocess.CompletedProcess[str], float]:
        began = time.monotonic()
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        return done, time.monotonic() - began

    good = True
    with ThreadPoolExecutor(os.cpu_count()) as processors:
        for command, (done, seconds) in zip(commands, processors.map(told, commands), strict=True):
            print("$", shown(command), f"({seconds:.0f} s)", done.stdout, sep="\n", flush=True)
            good = good and done.returncode == 0
    return good


def lint() -> bool:
    return all(
        [
            run(str(BIN / "ruff"), "check", "."),
            run(str(BIN / "ruff"), "format", "--check", "."),
            run(str(BIN / "lint-imports"), "--no-logo"),
            run(str(BIN / "gherkube"), "lint"),
        ]
    )


def trace() -> bool:
    return run(str(BIN / "gherkube"), "trace", "--output", os.devnull)


def types() -> bool:
    return run(str(BIN / "mypy"))


def tests() -> bool:
    """Unit and property tests, and what is tested through real clients."""
    return run(*PYTEST, "-n", "2", "ci/tests")


def features() -> bool:
    """Both ways to run them in process; the first tells how much of the reference the features alone reach."""
    with tempfile.TemporaryDirectory() as kept:
        coverage, told = str(BIN / "coverage"), {"COVERAGE_FILE": f"{kept}/coverage"}
        return all(
            [
                run(coverage, "run", "-m", *("pytest", *PYTEST[1:]), "-n", "2", "features", **told),
                run(coverage, "combine", "-q", **told),
                run(coverage, "report", "--skip-covered", "--sort=cover", **told),
                run(str(BIN / "gherkube"), "run", "-n", "2", "--profile", "selection", "--profile", "workloads"),
            ]
        )


def miniatures() -> bool:
    """Each fault is caught by every scenario that is meant to, so each scenario has one that it catches."""
    with TemporaryDirectory() as folder:
        caught = str(Path(folder) / "caught.json")
        whole = run(str(BIN / "gherkube"), "miniatures", "-n", "2", "--results", caught)
        return run(str(BIN / "gherkube"), "trace", "--miniatures", caught, "--output", os.devnull) and whole


def served_sqlite() -> bool:
    return _judged()


def served_etcd() -> bool:
    if shutil.which("etcd") is None:
        raise Skipped("etcd is not installed (Debian: etcd-server)")
    from ci.etcd import etcd_server

    with etcd_server() as etcd:
        return _judged("--etcd", etcd.url, profiles=STORE)


def kernel() -> bool:
    """The features of the network, and clusters from a seed, on a real kernel."""
    try:
        from gherkube.drivers.kernel import lacking
    except ImportError as missing:
        raise Skipped(f"the package {missing.name} is missing") from None
    from gherkube import uml

    if lacking() and uml.missing():
        raise Skipped(f"{lacking()}; User Mode Linux is {uml.missing()}")
    profiles = [(str(BIN / "gherkube"), "run", "--target", "kernel", "--profile", profile) for profile in NETWORK]
    return side_by_side(*profiles, (sys.executable, "ci/differential.py", "--seeds", "20"))


def components() -> bool:
    """The profiles of those that run Pods, where each component is a process of its own."""
    from ci.server import refkube_processes

    capabilities = [name for name in SERVED if name != "storage.provision"]
    with refkube_processes(SPEED) as server:
        target = f"kubeconfig:{server.kubeconfig}?speed={SPEED}&capabilities={','.join(capabilities)}"
        profiles = [word for name in APART for word in ("--profile", name)]
        return run(str(BIN / "gherkube"), "run", "--target", target, "-n", "4", *profiles)


def kill() -> bool:
    stores = ["sqlite"] + (["etcd"] if shutil.which("etcd") else [])
    if len(stores) == 1:
        print("etcd is not installed: only sqlite is killed")
    return all(run(sys.executable, "ci/kill.py", "--store", store, "--rounds", "5") for store in stores)


def fuzz() -> bool:
    return run(sys.executable, "ci/fuzz.py", "--requests", "2000")


def _judged(*options: str, profiles: tuple[str, ...] = ()) -> bool:
    """The features, all or those of some profiles, on `refkube serve`, whose time runs ten times as fast as ours."""
    from ci.server import refkube_server

    with refkube_server("--nodes", "3", "--speed", "10", *options) as server:
        target = f"kubeconfig:{server.kubeconfig}?speed=10&capabilities={','.join(SERVED)}&outside={OUTSIDE}"
        chosen = [word for profile in profiles for word in ("--profile", profile)]
        return run(str(BIN / "gherkube"), "run", "--target", target, "-n", "2", *chosen)


CHECKS: dict[str, Callable[[], bool]] = {
    "lint": lint,
    "types": types,
    "trace": trace,
    "tests": tests,
    "features": features,
    "miniatures": miniatures,
    "served-sqlite": served_sqlite,
    "served-etcd": served_etcd,
    "components": components,
    "kernel": kernel,
    "kill": kill,
    "fuzz": fuzz,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
