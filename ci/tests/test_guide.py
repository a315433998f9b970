"""The guide for implementers holds: its implementation, its harness, and what the suite says of them."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
from gherkube import cli, paths
from gherkube.drivers.reference import ReferenceDriver
from gherkube.spec import Case, load

ROOT = Path(__file__).parents[2]
GUIDES = ("README.md", "step_defs/README.md", "features/README.md", "reference/README.md", "ci/README.md")
GUIDE = (ROOT / "step_defs/README.md").read_text()
TOY, SELECTS, ITEMS = re.findall(r"```python\n(.*?)```", GUIDE, re.S)[:3]


@contextmanager
def started(code: str, path: Path, port: int) -> Iterator[str]:
    path.write_text(code.replace("8001", str(port)))
    with subprocess.Popen([sys.executable, "-u", str(path)], stdout=subprocess.PIPE, text=True) as toy:
        try:
            assert toy.stdout is not None
            assert toy.stdout.readline() == "ready\n"
            yield f"http://127.0.0.1:{port}/harness"
        finally:
            toy.kill()


def telling(code: str) -> str:
    """The same, saying when it listens."""
    start = 'ThreadingHTTPServer(("127.0.0.1", 8001), Handler).serve_forever()'
    assert start in code
    return code.replace(
        start, f'server = {start.removesuffix(".serve_forever()")}\nprint("ready")\nserver.serve_forever()'
    )


def test_the_toy_of_the_guide_is_judged_as_the_guide_says(
    tmp_path: Path, unused_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = str(tmp_path / "before.json"), str(tmp_path / "after.json")
    part = ["--tags", "@id:labels.01"]
    with started(telling(TOY), tmp_path / "toy.py", unused_port) as url:
        assert cli.call(["smoke", "--target", url]) == 3
        said = capsys.readouterr().out.replace(str(unused_port), "8001")
        assert said in GUIDE
        assert cli.call(["run", "--target", url, *part, "--report", before]) == 1
        said = capsys.readouterr().out.splitlines()
        assert "\n".join(said[1:3]) in GUIDE
    (items,) = re.findall(r"^ +items = .*\n", TOY, re.M)
    better = TOY.replace(items, ITEMS).replace("def api(", f"{SELECTS}\n\ndef api(", 1)
    with started(telling(better), tmp_path / "toy.py", unused_port) as url:
        assert cli.call(["run", "--target", url, *part, "--report", after]) == 2
    capsys.readouterr()
    assert cli.call(["diff", before, after]) == 0
    assert "\n".join(capsys.readouterr().out.splitlines()[:2]) in GUIDE


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_every_command_of_the_guides_is_one() -> None:
    command: Any = typer.main.get_command(cli.app)
    options = {option for one in command.commands.values() for param in one.params for option in param.opts}
    options |= {option for param in command.params for option in param.opts}
    for guide in GUIDES:
        sessions = "\n".join(re.findall(r"```console\n(.*?)```", (ROOT / guide).read_text(), re.S))
        lines = re.findall(r"gherkube ((?:[a-z]+\b)[^\n`|]*)", re.sub(r"\\\n", " ", sessions))
        for line in lines:
            words = line.split("--start")[0].split()
            if words[0] in ("run", "smoke", "diff", "badge", "docs", "trace", "lint", "list", "miniatures", "harness"):
                assert words[0] in command.commands
                assert {word for word in words if re.fullmatch("--[a-z]+", word)} <= options, (guide, line)


JUDGED = re.compile(r"^(\w+) +success +(\d+) +0 +0 .*?^conformant \((\d+) scenarios", re.S | re.M)


def test_the_sessions_of_the_guides_count_what_there_is() -> None:
    cases: dict[str, list[Case]] = {}
    for case in load(paths.features_dir()).cases:
        cases.setdefault(case.scenario.profile, []).append(case)
    sessions = 0
    for guide in GUIDES:
        for block in re.findall(r"```console\n(.*?)```", (ROOT / guide).read_text(), re.S):
            for profile, core, all_of_it in JUDGED.findall(block):
                sessions += 1
                assert len(cases[profile]) == int(all_of_it), (guide, profile)
                assert len([one for one in cases[profile] if one.scenario.level == "core"]) == int(core), (
                    guide,
                    profile,
                )
    assert sessions == 3
    assert f"all but six of its {len(cases['selection'])} cases" in GUIDE
    assert f"capable of: {', '.join(sorted(ReferenceDriver.capabilities))}\n" in GUIDE


def test_every_link_of_the_guides_holds() -> None:
    for guide in GUIDES:
        for link in re.findall(r"\]\(([^)#\s]+)", (ROOT / guide).read_text()):
            if "://" not in link:
                assert ((ROOT / guide).parent / link).exists(), (guide, link)
