"""A kernel as a plain process: runs a command under User Mode Linux, for what the machine's own kernel lacks.

Used for the target `kernel`, and by tests. The guest sees the machine's files; it has a network of its own, with
nothing in it, and ends with the command. Debian's package is `user-mode-linux`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

KERNEL = "linux.uml"
TOOLS = ("ip", "iptables", "ipset", "conntrack", "modprobe", "busybox")
_MODULES = "ip_vs ip_vs_rr ip_vs_wrr ip_vs_lc ip_vs_wlc ip_vs_sh dummy veth bridge br_netfilter vxlan tun \
iptable_nat iptable_filter xt_MASQUERADE xt_nat xt_mark xt_set xt_conntrack ip_set ip_set_hash_ipport \
ip_set_hash_ipportip ip_set_hash_ipportnet ip_set_bitmap_port nf_conntrack_netlink"
_INIT = f"""#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs tmpfs /run
mkdir -p /run/lock /run/modroot/lib/modules /dev/pts /dev/shm
mount -t devpts devpts /dev/pts; mount -t tmpfs tmpfs /dev/shm
ln -s /usr/lib/uml/modules/$(uname -r) /run/modroot/lib/modules/
printf '#!/bin/sh\\nexec /usr/sbin/modprobe -d /run/modroot "$@"\\n' > /run/modprobe; chmod +x /run/modprobe
echo /run/modprobe > /proc/sys/kernel/modprobe
/run/modprobe -a {_MODULES} 2>"$JOB/modules"
ip link set lo up
sh "$JOB/command" >"$JOB/output" 2>&1 </dev/null
echo $? >"$JOB/code"
busybox poweroff -f
"""


class NoGuest(Exception):
    """The guest did not run the command; the message says why."""


def missing() -> str:
    """What keeps User Mode Linux from running here; "" if nothing does."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
    lacking = [name for name in (KERNEL, *TOOLS) if shutil.which(name, path=path) is None]
    return f"not installed: {', '.join(lacking)}" if lacking else ""


def run(
    command: Sequence[str], environment: Mapping[str, str] = {}, megabytes: int = 1536, out: TextIO | None = None
) -> int:
    """The command's exit code; what it prints is printed as it comes. NoGuest if the guest does not get so far."""
    out = out or sys.stdout
    with tempfile.TemporaryDirectory(prefix="gherkube-uml-") as box:
        job = Path(box)
        (job / "init").write_text(_INIT)
        (job / "init").chmod(0o755)
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
        (job / "command").write_text(f"{exports}cd {shlex.quote(os.getcwd())}\nexec {shlex.join(command)}\n")
        (job / "output").touch()
        with (
            (job / "console").open("w") as console,
            (job / "output").open(errors="replace") as output,
            subprocess.Popen(
                _boot(job, megabytes),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": _memory(megabytes), "HOME": box},
                start_new_session=True,
            ) as guest,
        ):
            try:
                while guest.poll() is None:
                    _wait(guest)
                    _copy(output, out)
            except BaseException:
                guest.terminate()  # takes the processes of the guest with it
                raise
            _copy(output, out)
        if not (job / "code").exists():
            lines = (job / "console").read_text(errors="replace").strip().splitlines()
            raise NoGuest("User Mode Linux ended early: " + " | ".join(lines[-3:]))
        return int((job / "code").read_text())


def _boot(job: Path, megabytes: int) -> list[str]:
    root = ("root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw")
    consoles = ("con0=null,fd:1", "con=null", "quiet")
    name = f"umid={job.name}"
    return [KERNEL, f"mem={megabytes}M", *root, f"init={job / 'init'}", *consoles, name, f"JOB={job}"]


def _memory(megabytes: int) -> str:
    """Where the guest's memory lies: a file, best in memory itself."""
    shared = Path("/dev/shm")
    roomy = shared.is_dir() and shutil.disk_usage(shared).free > megabytes << 20
    return str(shared) if roomy else tempfile.gettempdir()


def _wait(guest: subprocess.Popen[bytes]) -> None:
    try:
        guest.wait(0.1)
    except subprocess.TimeoutExpired:
        pass


def _copy(output: TextIO, out: TextIO) -> None:
    if text := output.read():
        out.write(text)
        out.flush()
