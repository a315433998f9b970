"""The command `gherkube`: run, list, lint, miniatures, trace, diff, badge, docs, smoke, harness.

Whatever is wrong with arguments, files or the target is told in one line on standard error, with exit code 3.
"""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console

from gherkube import __version__, paths
from gherkube.outcome import ExitCode
from gherkube.spec import LEVELS, PROFILES, Spec, load

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
)

Features = Annotated[
    Path | None, typer.Option("--features", metavar="DIR", help="another folder of features than gherkube's own")
]
Profiles = Annotated[
    list[str] | None,
    typer.Option("--profile", metavar="NAME", help="this profile only; repeatable", show_default=False),
]
Levels = Annotated[
    list[str] | None,
    typer.Option("--level", metavar="LEVEL", help=f"{', '.join(LEVELS)}; repeatable", show_default=False),
]
Tags = Annotated[str, typer.Option("--tags", metavar="EXPRESSION", help='such as "@core and not @needs:time.skip"')]


def main() -> None:
    """The console script: one line for what is wrong, and the exit codes of the design."""
    sys.exit(call(sys.argv[1:]))


def call(arguments: list[str]) -> int:
    """Runs the command; returns its exit code."""
    from gherkube.report import ReportError
    from gherkube.runner import Unusable

    try:
        result = app(arguments or ["--help"], prog_name="gherkube", standalone_mode=False)
    except (Unusable, ReportError) as error:
        for line in str(error).splitlines():
            print(f"gherkube: {line}", file=sys.stderr)
        return ExitCode.FAULT
    except KeyboardInterrupt:
        print("gherkube: interrupted", file=sys.stderr)
        return ExitCode.FAULT
    except BrokenPipeError:
        return ExitCode.FAULT
    except Exception as error:
        if isinstance(error, typer.Abort):
            print("gherkube: interrupted", file=sys.stderr)
            return ExitCode.FAULT
        if not hasattr(error, "format_message"):  # not one of typer's own about the command line
            raise
        message = " ".join(error.format_message().split())
        print(f"gherkube: {message or 'no command'} (gherkube --help tells more)", file=sys.stderr)
        return ExitCode.FAULT
    return int(result or 0)


def _version(asked: bool) -> None:
    if asked:
        print(f"gherkube {__version__}")
        raise typer.Exit(0)


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """An executable specification of Kubernetes: hold an implementation against it."""


@app.command()
def run(
    target: Annotated[str, typer.Option(metavar="TARGET", help="the system under test")] = "reference",
    component: Annotated[
        str, typer.Option(metavar="NAME", help="judge this component alone, refkube being all the others")
    ] = "",
    start: Annotated[
        str,
        typer.Option(
            metavar="COMMAND", help="what starts the component; {kubeconfig} is where it connects, {node} its node"
        ),
    ] = "",
    kubeconfig: Annotated[Path, typer.Option(metavar="FILE", help="where to write the component's kubeconfig")] = Path(
        "component.kubeconfig"
    ),
    profile: Profiles = None,
    level: Levels = None,
    tags: Tags = "",
    processes: Annotated[str, typer.Option("-n", "--processes", metavar="N", help="processes, or auto")] = "",
    retries: Annotated[int, typer.Option(metavar="N", min=0, help="tries of a failed scenario; passing is flaky")] = 0,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="write a JSON report")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="write JUnit XML")] = None,
    messages: Annotated[Path | None, typer.Option(metavar="FILE", help="write Cucumber Messages (NDJSON)")] = None,
    record: Annotated[
        bool, typer.Option("--record", help="keep in the report what components said to each other")
    ] = False,
    implementation: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="organization, project, version, url, language of what is judged"),
    ] = None,
    features: Features = None,
) -> int:
    """Run the features against a target.

    Exit codes: 0 conformant; 1 a core scenario failed; 2 only a part was run; 3 the harness, the target or the
    command is at fault.
    """
    from gherkube import runner
    from gherkube.progress import display

    judged = _component(component, start, kubeconfig, target)
    if (code := _in_guest(target)) is not None:
        return code
    console = Console()
    options = runner.Options(
        target,
        tuple(profile or ()),
        tuple(level or ()),
        tags,
        _processes(processes),
        retries,
        report,
        junit,
        messages,
        record,
        _implementation(implementation or []),
        judged,
        features,
    )
    return runner.run(options, display(console), console)


def _in_guest(target: str) -> int | None:
    if target.partition("?")[0] != "kernel":
        return None
    from gherkube.drivers.base import TargetError
    from gherkube.drivers.kernel import in_guest
    from gherkube.runner import Unusable

    try:
        return in_guest(["-m", "gherkube", *sys.argv[1:]])
    except TargetError as error:
        raise Unusable(str(error)) from None


@app.command("list")
def list_(
    profile: Profiles = None,
    level: Levels = None,
    tags: Tags = "",
    steps: Annotated[
        bool, typer.Option("--steps", help="the catalogue of steps instead, with an example of each")
    ] = False,
    profiles: Annotated[bool, typer.Option("--profiles", help="the profiles instead")] = False,
    features: Features = None,
) -> int:
    """List the scenarios, the steps or the profiles."""
    from gherkube import runner

    if steps:
        _print_steps()
    elif profiles:
        for name, one in PROFILES.items():
            print(
                f"{name:<16} {one.title}" + (f" (requires {', '.join(sorted(one.requires))})" if one.requires else "")
            )
    else:
        options = runner.Options(profiles=tuple(profile or ()), levels=tuple(level or ()), tags=tags, features=features)
        for case in runner.select(options)[2]:
            print(f"{case.id:<28} {case.scenario.level:<11} {case.title}")
    return 0


@app.command()
def lint(features: Features = None) -> int:
    """Check the features: metadata, form, vocabulary, steps, that every clause is covered; names of miniatures."""
    from gherkube.drivers.miniatures import clashes
    from gherkube.lint import check
    from gherkube.steps import catalogue

    spec = _spec(features)
    findings = check(spec, catalogue()) + clashes()
    for finding in findings:
        print(finding)
    scenarios = sum(len(feature.scenarios) for feature in spec.features)
    print(f"{len(spec.features)} features, {scenarios} scenarios: {len(findings) or 'no'} findings", file=sys.stderr)
    return ExitCode.FAULT if findings else 0


@app.command()
def miniatures(
    processes: Annotated[str, typer.Option("-n", "--processes", metavar="N", help="processes, or auto")] = "",
    names: Annotated[bool, typer.Option("--list", help="only list the miniatures")] = False,
    check: Annotated[bool, typer.Option("--check", help="only check that every scenario has a miniature")] = False,
    results: Annotated[Path | None, typer.Option(metavar="FILE", help="write who caught what (JSON)")] = None,
    tags: Tags = "",
    features: Features = None,
) -> int:
    """Hold the suite against faulty references: each fault must be caught by the scenarios meant to."""
    from gherkube.drivers import miniatures as faulty
    from gherkube.report import check_writable
    from gherkube.runner import run_miniatures

    spec, processes = _spec(features), _processes(processes)
    _selection(tags)
    if names:
        for one in faulty.all_miniatures():
            print(f"{one.name:<40} {', '.join(one.caught_by):<24} {one.fault}")
        return 0
    findings = faulty.clashes() + ([] if tags else faulty.check(spec))
    for finding in findings:
        print(finding)
    if check:
        return ExitCode.FAULT if findings else 0
    if results is not None:
        check_writable(results)
    code = run_miniatures(spec, processes, tags, results)
    return ExitCode.FAULT if findings else code


@app.command()
def trace(
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="the outcomes of this report")] = None,
    miniatures: Annotated[
        Path | None, typer.Option(metavar="FILE", help="the catches that `gherkube miniatures --results` wrote")
    ] = None,
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="text, json, csv, markdown")] = "text",
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="write there instead of printing")] = None,
    features: Features = None,
) -> int:
    """Trace every clause to its scenarios, their outcome and the faults they catch; what is missing is an error."""
    from gherkube import traceability
    from gherkube.drivers.miniatures import all_miniatures
    from gherkube.report import read_report, write
    from gherkube.runner import Unusable

    if form not in traceability.FORMATS:
        raise Unusable(f"--format {form!r}: one of {', '.join(traceability.FORMATS)}")
    spec, faulty = _spec(features), all_miniatures()
    outcomes = read_report(report) if report else None
    caught = traceability.read_results(miniatures) if miniatures else None
    text = traceability.written(traceability.trace(spec, faulty, outcomes, caught), form)
    if output is None:
        print(text, end="")
    else:
        write(output, text.encode())
    findings = [*spec.broken, *traceability.missing(spec, faulty, caught)]
    for finding in findings:
        print(finding, file=sys.stderr)
    return ExitCode.FAULT if findings else 0


@app.command()
def diff(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="a report")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="a later one")],
) -> int:
    """Say what changed from one report to another.

    Exit codes: 0 nothing got worse; 1 something that passed no longer does; 2 less was judged than before; 3 one of
    the reports is damaged, or none.
    """
    from gherkube.comparison import compare, written
    from gherkube.report import read_report

    found = compare(read_report(before), read_report(after))
    print(written(found), end="")
    return found.exit_code


@app.command()
def badge(
    report: Annotated[Path, typer.Argument(metavar="REPORT")],
    output: Annotated[Path, typer.Argument(metavar="FILE", help="the SVG to write")],
) -> int:
    """Draw the verdict of a report as a badge."""
    from gherkube.badge import badge as drawn
    from gherkube.report import read_report, write

    write(output, drawn(read_report(report)).encode())
    return 0


@app.command()
def docs(
    output: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="where to write, a new folder or one written before")
    ],
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="a report, best of a run with --record; else a run is made now")
    ] = None,
    miniatures: Annotated[
        Path | None, typer.Option(metavar="FILE", help="the catches that `gherkube miniatures --results` wrote")
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Markdown with Mermaid diagrams instead of a site")
    ] = False,
    processes: Annotated[str, typer.Option("-n", "--processes", metavar="N", help="processes of the run")] = "",
    features: Features = None,
) -> int:
    """Write living documentation: the features, what came of them, and what the components said."""
    from gherkube import traceability
    from gherkube.docs.markdown import write_markdown
    from gherkube.docs.site import Book, make_room, write_site
    from gherkube.drivers.miniatures import all_miniatures
    from gherkube.report import read_report

    make_room(output)
    spec = _spec(features)
    caught = traceability.read_results(miniatures) if miniatures else None
    told = read_report(report) if report else _recorded(features, _processes(processes))
    book = Book(spec, told, traceability.trace(spec, all_miniatures(), told, caught))
    pages = (write_markdown if markdown else write_site)(book, output)
    print(f"{pages} pages: {output / ('README.md' if markdown else 'index.html')}")
    return 0


@app.command()
def smoke(
    target: Annotated[str, typer.Option(metavar="TARGET", help="the system under test")] = "reference",
) -> int:
    """Say in seconds whether a target is sane: its API, its harness, and what it says that it is capable of."""
    from gherkube.drivers import open_target
    from gherkube.drivers.base import TargetError, Unreachable
    from gherkube.runner import Unusable
    from gherkube.smoke import smoke as checks

    try:
        driver = open_target(target)
    except (TargetError, Unreachable) as error:
        raise Unusable(str(error)) from None
    wrong = 0
    try:
        told = driver.implementation()
        print(f"{target}: {told.get('project', 'unknown')} {told.get('version', '')}".rstrip())
        print(f"capable of: {', '.join(sorted(driver.capabilities)) or 'the Kubernetes API alone'}")
        for check, why in checks(driver):
            wrong += bool(why)
            print(f"WRONG  {check}: {why}" if why else f"ok     {check}")
    except (TargetError, Unreachable) as error:
        raise Unusable(str(error)) from None
    finally:
        driver.close()
    return ExitCode.FAULT if wrong else 0


@app.command()
def harness(
    port: Annotated[int, typer.Option(min=0, max=65535, help="port to listen on; 0 takes a free one")] = 0,
    nodes: Annotated[int, typer.Option(min=0, help="nodes of each cluster")] = 3,
) -> int:
    """Serve the reference behind the harness protocol, as an example of a harness, until interrupted."""
    from threading import Event

    from gherkube.runner import Unusable

    try:
        from gherkube.drivers.serving import ServedReference

        served = ServedReference(nodes, port=port)
    except (ImportError, OSError) as error:
        raise Unusable(getattr(error, "strerror", None) or str(error)) from None
    try:
        print(f"gherkube run --target {served.url}", flush=True)
        Event().wait()
    except KeyboardInterrupt:
        return 0
    finally:
        served.close()
    return 0


def _recorded(features: Path | None, processes: str) -> dict[str, Any]:
    """The report of a run on the reference that is made for the documentation."""
    from gherkube import runner
    from gherkube.progress import display
    from gherkube.report import read_report

    console = Console(stderr=True)
    with TemporaryDirectory(prefix="gherkube-") as folder:
        report = Path(folder) / "report.json"
        options = runner.Options(processes=processes, report=report, record=True, features=features)
        runner.run(options, display(console), console)
        return read_report(report)


def _spec(features: Path | None) -> Spec:
    from gherkube.runner import Unusable

    root = (features or paths.features_dir()).resolve()
    if not root.is_dir():
        raise Unusable(f"there is no folder {root}")
    return load(root)


def _selection(tags: str) -> None:
    from gherkube.runner import Unusable
    from gherkube.session import Selection

    try:
        Selection(tags=tags)
    except ValueError as error:
        raise Unusable(str(error)) from None


def _processes(text: str) -> str:
    from gherkube.runner import Unusable

    if text and text not in ("auto", "logical") and not text.isdecimal():
        raise Unusable(f"-n {text!r}: a number of processes, or auto")
    return text


def _component(name: str, start: str, kubeconfig: Path, target: str) -> Any:
    from gherkube.component import Component, check
    from gherkube.drivers.base import TargetError
    from gherkube.runner import Unusable

    if not name:
        if start:
            raise Unusable("--start starts a component: name it with --component")
        return None
    judged = Component(name, kubeconfig.resolve(), start, target=target)
    try:
        check(judged)
    except TargetError as error:
        raise Unusable(str(error)) from None
    return judged


def _implementation(pairs: list[str]) -> dict[str, str]:
    from gherkube.runner import IMPLEMENTATION, Unusable

    told = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or key not in IMPLEMENTATION:
            raise Unusable(f"--implementation {pair!r}: one of {', '.join(IMPLEMENTATION)}, then = and its value")
        told[key] = value
    return told


def _print_steps() -> None:
    from gherkube.steps import catalogue

    definitions = catalogue()
    for domain, of_domain in groupby(definitions, key=lambda definition: definition.domain):
        print(f"\n# {domain}: {next(one.description for one in definitions if one.domain == domain)}")
        for _, same in groupby(of_domain, key=lambda definition: definition.function):
            variants = list(same)
            print()
            for one in reversed(variants):
                print(f"{one.type.capitalize():<5} {one.shown}")
            for line in variants[0].example.splitlines():
                print(f"          {line}")
