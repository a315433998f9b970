"""The programs that containers run: the shell and its commands as a real one has them, agnhost's health checks."""

from __future__ import annotations

from itertools import count

import pytest
from refkube.cluster import Cluster
from refkube.engine.clock import VirtualClock
from refkube.engine.loop import Loop
from refkube.kubelet.runtime.container import Config, Container, Runtime
from refkube.kubelet.runtime.images import Images, is_valid, normalized
from refkube.kubelet.runtime.process import Pipe
from refkube.kubelet.runtime.programs.catalogue import IMAGES, known
from refkube.kubelet.runtime.terminal import Terminal

BUSYBOX = IMAGES["docker.io/library/busybox"]


def started(script: str, *arguments: str) -> Container:
    loop = Loop(VirtualClock())
    numbers = count()
    runtime = Runtime(loop, Images(loop, known), lambda: str(next(numbers)))
    sandbox = runtime.add({"metadata": {"name": "web", "namespace": "home", "uid": "1"}, "spec": {}})
    sandbox.hostname = "web"
    argv = ["sh", "-c", script, *arguments]
    container = sandbox.create(Config("main", BUSYBOX, argv, {"NAME": "value", "PATH": "/bin"}, "/"))
    container.start()
    return container


def ran(script: str, *arguments: str) -> tuple[str, int]:
    container = started(script, *arguments)
    container.loop.run_until(lambda: not container.running, 1000)
    return output(container), container.exit_code


def output(container: Container) -> str:
    return b"".join(line for _, _, line in container.log.lines).decode()


@pytest.mark.parametrize(
    ("script", "expected", "code"),
    [
        ("echo a  b 'c  d' \"e  f\"", "a b c  d e  f\n", 0),
        ("echo -n x; echo -e 'a\\tb'; printf '%s-%03d\\n' a 7", "xa\tb\na-007\n", 0),
        ("echo $NAME ${NAME} ${NONE:-none} ${NAME:+set} ${#NAME} ${NAME%ue} ${NAME##*l}",
         "value value none set 5 val ue\n", 0),
        ("x='a b'; for w in $x \"$x\" ''; do echo \"<$w>\"; done", "<a>\n<b>\n<a b>\n<>\n", 0),
        ("i=0; while [ $i -lt 3 ]; do i=$((i + 1)); [ $i = 2 ] && continue; echo $i; done", "1\n3\n", 0),
        ("until false; do break; done; echo $?", "0\n", 0),
        ("if test -e /no; then echo yes; elif [ 1 -eq 1 -a a != b ]; then echo or; else echo no; fi", "or\n", 0),
        ("case abc in x) echo x;; a*|b) echo a;; *) echo other;; esac", "a\n", 0),
        ("f() { echo $1 $#; return 3; }; f a b; echo $?", "a 2\n3\n", 0),
        ("echo $(echo in; exit 4) $?; x=$(false); echo $?", "in 0\n1\n", 0),
        ("echo $((2 * (3 + 4) % 5)) $((1 < 2 && 2 < 1))", "4 0\n", 0),
        ("echo one | tr a-z A-Z | cat; printf 'b\\na\\n' | sort | head -n 1", "ONE\na\n", 0),
        ("echo a > /tmp/x; echo b >> /tmp/x; cat < /tmp/x; wc -l < /tmp/x; rm /tmp/x; cat /tmp/x",
         "a\nb\n2\ncat: can't open '/tmp/x': No such file or directory\n", 1),
        ("echo out; echo err >&2; (echo sub; exit 5); echo $?", "out\nerr\nsub\n5\n", 0),
        ("no-such; echo $?; no-such 2> /dev/null || echo caught", "sh: no-such: not found\n127\ncaught\n", 0),
        ("set -e; false || true; if false; then :; fi; false; echo never", "", 1),
        ("trap 'echo bye $?' EXIT; exit 7", "bye 7\n", 7),
        ("sleep 5 & wait $!; echo $?; ! false && echo not", "0\nnot\n", 0),
        ("cat <<END\nhello $NAME\nEND\ncat <<'END'\n$NAME\nEND", "hello value\n$NAME\n", 0),
        ("mkdir -p /a/b; touch /a/b/one /a/b/two; ls /a/b/*; cp -r /a /c; ls /c/b; [ -d /c ] && echo dir",
         "/a/b/one\n/a/b/two\none\ntwo\ndir\n", 0),
        ("env A=1 sh -c 'echo $A'; B=2 sh -c 'echo $B'; echo \"[$B]\"", "1\n2\n[]\n", 0),
        ("echo $0 $1 $@; shift; echo $1", "sh x x y\ny\n", 0),
        ("read a b < /etc/none || echo failed; echo 'one two three' | { read a b; echo $b; }",
         "sh: can't create /etc/none: nonexistent directory\nfailed\ntwo three\n", 0),
        ("timeout 2 sleep 100; echo $?; date +%s", "143\n1767225602\n", 0),
        ("exec echo instead; echo never", "instead\n", 0),
        ("if true", 'sh: syntax error: unexpected "end of file" (expecting "then")\n', 2),
        ("echo aGk= | base64 -d; echo; echo hi | md5sum", "hi\n764efa883dda1e11db47671c4a3bbd9e  -\n", 0),
    ],
)  # fmt: skip
def test_the_shell(script, expected, code):
    assert ran(script, "sh", "x", "y") == (expected, code)


def test_a_shell_on_a_terminal():
    container = started("sleep 100000")
    seen: list[bytes] = []
    stdin = Pipe()
    terminal = Terminal(lambda: container, stdin, seen.append)
    ended: list[int] = []
    container.run(["sh"], terminal.write, terminal.write, stdin, ended.append, terminal)

    def shows(typed: bytes) -> str:
        seen.clear()
        terminal.typed(typed)
        container.loop.run_for(1)
        return b"".join(seen).decode()

    container.loop.run_for(1)
    assert b"".join(seen) == b"/ # "
    assert shows(b"echo hi\r") == "echo hi\r\nhi\r\n/ # "
    assert shows(b"ecc\x7fho $\bx\r") == "ecc\b \bho $\b \bx\r\nx\r\n/ # "
    assert shows(b"no\x15cat\r") == "no\b \b\b \bcat\r\n"
    assert shows(b"one\r") == "one\r\none\r\n"
    assert shows(b"\x04") == "/ # "
    assert shows(b"if true\r") == "if true\r\n> "
    assert shows(b"\x03") == "^C\r\n/ # "
    assert shows(b"sleep 1000\r") == "sleep 1000\r\n"
    assert shows(b"\x03").startswith("^C\r\n")
    assert shows(b"echo $?\r") == "echo $?\r\n130\r\n/ # "
    assert container.running
    assert not ended
    shows(b"(exit 4)\r\x04")
    assert ended == [4]


def test_a_first_process_is_not_ended_by_a_signal_that_it_does_not_handle():
    container = started("sleep 1000")
    container.stop(10)
    container.loop.run_for(9)
    assert container.running
    container.loop.run_for(1)
    assert (container.state, container.exit_code, container.reason) == ("exited", 137, "Error")


def test_a_trap_waits_for_the_command_under_way_and_ends_a_wait():
    busy = started("trap 'echo caught; exit 3' TERM; while true; do sleep 4; done")
    busy.loop.run_for(1)
    busy.signal(15)
    busy.loop.run_for(2)
    assert busy.running
    busy.loop.run_for(2)
    assert (output(busy), busy.exit_code) == ("caught\n", 3)
    waiting = started("trap 'echo caught; exit 3' TERM; sleep 1000 & wait")
    waiting.loop.run_for(1)
    waiting.signal(15)
    waiting.loop.run_for(0)
    assert (output(waiting), waiting.exit_code) == ("caught\n", 3)


def test_a_busy_shell_does_not_stop_the_world():
    container = started("while true; do :; done")
    container.loop.run_for(10)
    assert container.running


def test_whatever_a_program_does_wrong_it_ends_alone():
    assert ran("seq a; echo $?")[0].endswith("1\n")
    assert ran("f() { f; }; f")[1] != 0
    assert ran("wget; nc; head -n x; dd count=x; tar; echo still here")[0].endswith("still here\n")


@pytest.mark.parametrize(
    ("name", "valid", "full"),
    [
        ("busybox", True, "docker.io/library/busybox:latest"),
        ("a/b:1", True, "docker.io/a/b:1"),
        ("registry.k8s.io/pause:3.10", True, "registry.k8s.io/pause:3.10"),
        ("localhost:5000/x", True, "localhost:5000/x:latest"),
        ("Upper", False, "Upper"),
        ("a:b:c", False, "a:b:c"),
        ("", False, ""),
    ],
)
def test_names_of_images(name, valid, full):
    assert is_valid(name) == valid
    assert normalized(name) == full


def test_a_grpc_probe_follows_what_the_program_says():
    cluster = Cluster(nodes=1)
    client = cluster.client("admin", "system:masters")
    probe = {"grpc": {"port": 5000}, "periodSeconds": 1, "failureThreshold": 1}
    image = "registry.k8s.io/e2e-test-images/agnhost:2.53"
    container = {"name": "main", "image": image, "args": ["grpc-health-checking"], "readinessProbe": probe}
    meta = {"name": "web", "namespace": "default"}
    client.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": [container]}})

    def ready() -> bool:
        statuses = client.get("pods", "web", "default")["status"].get("containerStatuses") or [{}]
        return bool(statuses[0].get("ready"))

    assert cluster.loop.run_until(ready, 10)
    sandbox = next(iter(cluster.kubelets[0].runtime.sandboxes.values()))
    command = ["wget", "-q", "-O", "-", "http://127.0.0.1:8080/make-not-serving"]
    sandbox.latest("main").run(command, lambda data: None, lambda data: None, None, lambda code: None)
    assert cluster.loop.run_until(lambda: not ready(), 10)


def test_agnhost_tells_files_and_its_arguments() -> None:
    runtime = Runtime(Loop(VirtualClock()), Images(Loop(VirtualClock()), known), lambda: "1")
    sandbox = runtime.add({"metadata": {"name": "web", "namespace": "home", "uid": "1"}, "spec": {}})

    def ran_agnhost(name: str, *words: str) -> tuple[str, int]:
        argv = ["/agnhost", *words]
        container = sandbox.create(Config(name, IMAGES["registry.k8s.io/e2e-test-images/agnhost"], argv, {}, "/"))
        container.start()
        container.loop.run_until(lambda: not container.running, 1000)
        return output(container), container.exit_code

    told = 'content of file "/tmp/x": mount-tester new file\n\nmode of file "/tmp/x": -rw-rw----\n'
    assert ran_agnhost("a", "mounttest", "--new_file_0660=/tmp/x", "--file_mode=/tmp/x") == (told, 0)
    assert ran_agnhost("b", "mounttest", "--file_content=/none")[1] == 1
    assert ran_agnhost("c", "entrypoint-tester", "a", "b") == ("[/agnhost entrypoint-tester a b]\n", 0)
