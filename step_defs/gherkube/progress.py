"""What a user sees of a run while it goes on, and its end: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
from collections import Counter
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from gherkube.outcome import ExitCode, Outcome, Result, Verdict
from gherkube.report import Run

STYLES = {
    Outcome.PASSED: "green",
    Outcome.FAILED: "bold red",
    Outcome.ERRORED: "bold magenta",
    Outcome.UNDEFINED: "bold yellow",
    Outcome.FLAKY: "bold yellow",
    Outcome.UNSUPPORTED: "cyan",
    Outcome.SKIPPED: "cyan",
}
VERDICTS = {
    ExitCode.CONFORMANT: ("bold green", "conformant"),
    ExitCode.FAILED: ("bold red", "not conformant"),
    ExitCode.PARTIAL: ("bold yellow", "no verdict: not everything that was selected could be judged"),
    ExitCode.FAULT: ("bold magenta", "no verdict: the harness, the target or the command is at fault"),
}
_QUIET = {Outcome.PASSED, Outcome.UNSUPPORTED, Outcome.SKIPPED}


class Display(Protocol):
    def start(self, total: int, target: str) -> None: ...

    def result(self, result: Result) -> None: ...

    def stop(self) -> None: ...


def display(console: Console) -> Display:
    """The way to show progress that suits where the output goes."""
    return Live(console) if console.is_terminal and not os.environ.get("CI") else Plain(console)


class Plain:
    """A line for each scenario, for logs."""

    def __init__(self, console: Console):
        self._console = console

    def start(self, total: int, target: str) -> None:
        _line(self._console, f"{total} scenarios against {target}")

    def result(self, result: Result) -> None:
        _line(self._console, f"{result.outcome.value:<11} {result.case.id:<24} {result.case.title}")
        if result.outcome is not Outcome.PASSED:
            _line(self._console, f"            {result.case.scenario.uri}:{result.case.line}: {result.reason}")

    def stop(self) -> None:
        pass


class Live:
    """A bar with counts; what did not pass is told above it at once."""

    def __init__(self, console: Console):
        self._console = console
        self._counts: Counter[Outcome] = Counter()
        self._progress = Progress(
            TextColumn("[bold]{task.fields[target]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[latest]}", justify="left"),
            console=console,
            transient=True,
        )

    def start(self, total: int, target: str) -> None:
        self._task = self._progress.add_task("run", total=total, target=escape(target), counts="", latest="")
        self._progress.start()

    def result(self, result: Result) -> None:
        self._counts[result.outcome] += 1
        told = " ".join(
            f"[{STYLES[outcome]}]{number} {outcome.value}[/]" for outcome, number in sorted(self._counts.items())
        )
        latest = escape(result.case.scenario.uri)
        self._progress.update(self._task, advance=1, counts=told, latest=latest)
        if result.outcome not in _QUIET:
            where = f"{result.case.scenario.uri}:{result.case.line}"
            style = STYLES[result.outcome]
            self._progress.console.print(
                f"[{style}]{result.outcome.value}[/] [bold]{escape(result.case.id)}[/] {escape(result.case.title)}\n"
                f"  [dim]{escape(where)}[/] {escape(result.reason)}",
                highlight=False,
            )

    def stop(self) -> None:
        self._progress.stop()


def summary(console: Console, run: Run) -> None:
    """The verdict by profile, what is at fault, and what it comes to."""
    table = Table(box=None, pad_edge=False)
    for heading in ("profile", "core", "passed", "failed", "other", "extended"):
        table.add_column(heading, justify="right" if heading in ("passed", "failed", "other") else "left")
    styles = {Verdict.SUCCESS: "green", Verdict.FAILURE: "red", Verdict.INCOMPLETE: "yellow"}
    for name in run.profiles:
        core, extended = run.core(name), run.extended(name)
        passed, failed = core.counts["passed"], core.counts["failed"]
        style = styles.get(core.result, "dim")
        other = sum(core.counts.values()) - passed - failed
        row = (name, f"[{style}]{core.result.value}[/]", str(passed), str(failed), str(other), extended.result.value)
        table.add_row(*row)
    console.print()
    console.print(table)
    for fault in run.faults:
        _line(console, f"fault: {fault}")
    style, text = VERDICTS[run.exit_code]
    total = len(run.results)
    took = f"{run.finished - run.started:.1f} s"
    console.print(f"\n[{style}]{text}[/] ({total} scenarios, {took})", highlight=False, soft_wrap=True)


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
