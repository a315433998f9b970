"""The living documentation: what its pages tell, that links hold, and, in a browser, that people can use it."""

from __future__ import annotations

import html.parser
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from gherkube import cli, report
from gherkube.docs import diagrams
from gherkube.docs.components import component_of
from gherkube.spec import Step

HERE = Path(__file__).parent
AXE = HERE.parent / "npm/node_modules/axe-core/axe.min.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

FEATURE = """\
Feature: Things that run
  A <Deployment> & what becomes of it.

  A second paragraph.

  Background:
    Given a Deployment "web"

  @req:API-3
  Rule: They can be read
    @id:things.01 @core
    Scenario: A thing is read
      When the Deployment "web" is read
      Then the request is accepted

    @id:things.02 @core
    Scenario Outline: <name> is not there
      Given a ConfigMap "a" with:
        | field | value      |
        | data  | {x: <name>} |
      When the ConfigMap "<name>" is read
      Then the request is refused as NotFound

      Examples:
        | name |
        | b    |
        | c    |

  @req:API-4
  Rule: They break
    @id:things.03 @extended
    Scenario: A thing is expected that is not there
      When the ConfigMap "gone" is read
      Then the request is accepted
"""
CLAUSES = """\
clauses:
  - {id: API-3, profile: api, text: Reading reads., section: Kube-ApiServer}
  - {id: API-4, profile: api, text: Breaking breaks., excluded: it cannot}
  - {id: POD-1, profile: kubelet, text: Nothing yet.}
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with features, a recorded report, a site and its Markdown."""
    root = tmp_path_factory.mktemp("docs")
    (root / "features/api").mkdir(parents=True)
    (root / "features/api/things.feature").write_text(FEATURE)
    (root / "features/requirements.yaml").write_text(CLAUSES)
    features, path = str(root / "features"), root / "report.json"
    assert cli.call(["run", "--features", features, "--record", "--report", str(path)]) == 0
    made = json.loads(path.read_text())
    made["scenarios"][0]["record"]["journeys"] = [JOURNEY]
    path.write_text(json.dumps({**made, "digest": report.digest(made)}))
    for flags in (["site"], ["markdown", "--markdown"]):
        assert cli.call(["docs", str(root / flags[0]), *flags[1:], "--report", str(path), "--features", features]) == 0
    return root


def crossing(host: str, device: str, destination: str = "10.1.1.2", *outer: str) -> dict[str, Any]:
    return {"host": host, "device": device, "source": "10.1.0.2", "destination": destination, "outer": list(outer)}


WAY = [crossing("n1", "docker0", "10.96.0.10"), crossing("n1", "flannel.1", "10.1.1.2", "udp n1 > n2:8472")]
JOURNEY: dict[str, Any] = {
    **{"step": 0, "origin": "Pod client", "target": "TCP 10.96.0.10:80", "outcome": "answered", "pod": "web-1"},
    **{"source": "10.1.0.2", "answered_from": "10.96.0.10", "there": [*WAY, crossing("n2", "docker0")], "back": WAY},
}


def text(page: Path) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<(style|script|svg).*?</\1>|<[^>]+>", " ", page.read_text(), flags=re.S))


def test_a_feature_is_told_as_it_is_written_with_what_came_of_it(written: Path) -> None:
    page = (written / "site/features/things.html").read_text()
    told = text(written / "site/features/things.html")
    assert "A &lt;Deployment&gt; &amp; what becomes of it." in told
    assert "When the Deployment &#34;web&#34; is read" in told
    assert "API-3 Reading reads. Kube-ApiServer" in told
    assert "things.02 &lt;name&gt; is not there passed core" in told
    assert "things.03 A thing is expected that is not there failed extended" in told
    assert "was refused as NotFound" in told
    assert page.count('<svg class="sequence"') == 3
    assert "deployment</tspan>" in page


def test_what_is_said_and_sent_is_drawn(written: Path) -> None:
    page = (written / "site/features/things.html").read_text()
    first = page[page.index('id="things.01"') : page.index('id="things.02"')]
    assert "create deployments web" in first
    assert "Given a Deployment &quot;web&quot;" in first
    (journey,) = re.findall(r'<svg class="journey".*?</svg>', first)
    assert re.findall(r'class="who"[^>]*>(\w+)<', journey) == ["n1", "n2", "n1"]
    assert 'class="end changed"' in journey
    assert " ".join(re.findall(r'class="end outer"[^>]*>([^<]+)<', journey)).startswith("in udp n1 &gt; n2:8472")
    assert "From Pod client to TCP 10.96.0.10:80: answered by web-1, which saw 10.1.0.2" in text(
        written / "site/features/things.html"
    )


def test_clauses_and_components_have_pages(written: Path) -> None:
    clause = text(written / "site/clauses/API-3.html")
    assert "section Kube-ApiServer" in clause
    assert "A thing is read passed core" in clause
    assert "not specified yet" in text(written / "site/clauses/POD-1.html")
    assert "excluded: it cannot" in text(written / "site/clauses/API-4.html")
    component = text(written / "site/components/deployment-controller.html")
    assert "create replicasets" in component
    assert "A thing is read" in component


class Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.links += [value for name in ("href", "src") if (value := told.get(name)) and not value.startswith("data:")]
        self.ids += [told["id"]] if told.get("id") else []


def test_every_link_holds_and_nothing_is_fetched_from_elsewhere(written: Path) -> None:
    site = written / "site"
    pages = {}
    for path in site.rglob("*.html"):
        pages[path] = Links()
        pages[path].feed(path.read_text())
        assert len(pages[path].ids) == len(set(pages[path].ids)), path
    index = json.loads((site / "search-index.js").read_text().split("=", 1)[1].rstrip().rstrip(";"))
    links = [(site / "index.html", row[2]) for row in index]
    links += [(path, link) for path, parsed in pages.items() for link in parsed.links]
    assert len(links) > 100
    for path, link in links:
        assert "://" not in link, (path, link)
        where, _, place = unquote(link).partition("#")
        target = (path.parent / where).resolve() if where else path
        assert target.is_file(), (path, link)
        assert not place or place in pages[target].ids, (path, link)


def test_markdown_has_the_same_with_diagrams(written: Path) -> None:
    told = (written / "markdown/api/things.md").read_text()
    assert "> **API-3** Reading reads. (Kube-ApiServer)" in told
    assert "✅ passed" in told
    assert "❌ failed" in told
    assert "```mermaid\nsequenceDiagram\n    participant p0 as user\n" in told
    assert "p0->>p1: create deployments web" in told
    assert "From Pod client to TCP 10.96.0.10:80, answered: `n1: docker0 > flannel.1 | n2: docker0`" in told
    assert "[Things that run](api/things.md): 2 passed, 1 failed" in (written / "markdown/README.md").read_text()


def test_a_folder_of_somebody_else_is_not_written_to(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letter.txt").write_text("Dear")
    assert cli.call(["docs", str(tmp_path), "--report", str(written / "report.json")]) == 3
    assert "is not empty, and not by gherkube docs: name another folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    features = ["--features", str(written / "features")]
    stale = written / "site/features/stale.html"
    stale.write_text("old")
    assert cli.call(["docs", str(written / "site"), "--report", str(written / "report.json"), *features]) == 0
    assert not stale.exists()


def test_without_a_report_a_run_is_made(written: Path, tmp_path: Path) -> None:
    assert cli.call(["docs", str(tmp_path / "site"), "--features", str(written / "features")]) == 0
    assert '<svg class="sequence"' in (tmp_path / "site/features/things.html").read_text()


def line(who: str, what: str, at: float = 0.0, **told: Any) -> dict[str, Any]:
    made = {"step": 0, "at": at, "until": at, "who": who, "verb": "create", "what": what, "names": ["a"], "times": 1}
    return {**made, "code": 201, "note": "", **told}


def test_a_conversation_is_put_into_words() -> None:
    assert diagrams.label(line("scheduler", "pods/binding", note="to n1")) == "create pods/binding a: to n1"
    assert diagrams.label(line("kubelet n1", "pods", times=3, code=409)) == "create pods a (x3), on n1 - 409 Conflict"
    steps = [Step("When", "when", 'it is <made>; "now" #1', 3)]
    told = diagrams.mermaid([line("user", "pods"), line("scheduler", "pods/binding", 90.0)], steps)
    assert 'Note over p0,p2: When it is #60;made#62;#59; "now" #35;1' in told
    assert "Note over p0,p2: 90 s later" in told
    drawn = diagrams.sequence([line("user", "pods", names=["<b>"], code=403)], steps, "a & b")
    assert "&lt;b&gt; - 403 Forbidden" in drawn
    assert "<title>a &amp; b</title>" in drawn
    assert diagrams.sequence([], steps, "") == diagrams.mermaid([], steps) == ""
    assert component_of("kubelet n1") == "kubelet"
    assert component_of("alice") == ""


def test_in_a_browser_it_reads_searches_and_is_accessible(written: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: ci/debian-packages")
    site = written / "site"
    names = ("index", "profiles/api", "features/things", "clauses", "clauses/API-3", "components", "components/kubelet")
    pages = [f"file://{site / name}.html" for name in names]
    asked = {"pages": pages, "axe": f"file://{AXE}" if AXE.is_file() else "", "words": "expected not there"}
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--enable-logging=stderr"]
    flags += ["--virtual-time-budget=120000", f"--user-data-dir={written / 'profile'}", "--dump-dom"]
    page = f"file://{HERE / 'browser_page.html'}#{quote(json.dumps(asked))}"
    done = subprocess.run([CHROMIUM, *flags, page], capture_output=True, text=True, timeout=240, check=True)
    found = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.S)
    assert found, done.stdout[:2000]
    told = json.loads(html.unescape(found[1]))
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    assert told["errors"] == []
    assert told["violations"] == []
    assert told["wide"] == []
    assert told["found"][0].startswith("A thing is expected that is not there")
    assert told["chosen"] == "features/things.html#things.03"
    assert told["focused"]
    assert told["closed"]
    assert sorted(told["theme"]) == ["dark", "light"]
    if not asked["axe"]:
        pytest.skip("all but accessibility: axe-core is not installed: ci/npm-packages")
