"""The documentation is built as a site; every link of it leads somewhere, without network."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache, partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("sphinx")

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"

#: Importing these takes longer than all the rest; without them signatures have the same names.
SLOW = ("cv2", "pandas", "timm", "torch", "torchvision")

#: What these attributes name is loaded as soon as a page is shown.
LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("source", "srcset")}


class Page(HTMLParser):
    """What a page links to, which places it has, and what a strict policy would not let run."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.ids: set[str] = set()
        self.inline: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids |= {found[name] for name in ("id", "name") if name in found}
        self.links |= {found[name] for name in ("href", "src") if name in found}
        self.loaded |= {found[name] for name in found if (tag, name) in LOADED}
        if tag == "style" or (tag == "script" and "src" not in found):
            self.inline.append(f"<{tag}>")
        self.inline += [name for name in found if name == "style" or name.startswith("on")]


page = cache(Page)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it, but elsewhere."""
    built = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-n", "-j", "2"]
    command += ["-D", f"autodoc_mock_imports={','.join(SLOW)}"]
    done = subprocess.run(
        [*command, str(DOCS), str(built)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return built


def pages(site: Path) -> list[Path]:
    found = sorted(site.rglob("*.html"))
    assert len(found) > 20
    return found


def test_every_page_is_part_of_the_site(site: Path) -> None:
    sources = [path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")]
    built = {path.relative_to(site) for path in pages(site)}
    assert {path for path in sources if path.parts[0] != "_build"} <= built


def broken(path: Path) -> Iterator[str]:
    for link in page(path).links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.exists():
            yield f"{path.name}: {link} is not there"
        elif target.suffix == ".html" and unquote(parts.fragment) not in {"", *page(target).ids}:
            yield f"{path.name}: {link} names no place of that page"


def test_every_link_leads_somewhere(site: Path) -> None:
    assert [fault for path in pages(site) for fault in broken(path)] == []


def test_a_broken_link_is_found(site: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text(f'<a href="none.html">1</a><a href="{site}/index.html#nowhere">2</a>')
    assert len(list(broken(bad))) == 2


def test_links_to_the_repository_lead_there(site: Path) -> None:
    found = page(site / "pixels.html").links
    record = REPOSITORY / "reports/bench/pixels.json"
    assert record in {(site / link).resolve() for link in found if "pixels.json" in link}


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for path in pages(site):
        assert [link for link in page(path).loaded if urlsplit(link).netloc] == [], path
    styles = "".join(path.read_text() for path in site.rglob("*.css"))
    assert re.findall(r"url\(\s*['\"]?(?:https?:)?//|@import", styles) == []


def test_no_script_and_no_style_stands_in_a_page(site: Path) -> None:
    assert {path.name: page(path).inline for path in pages(site) if page(path).inline} == {}


POLICY = "default-src 'none'; " + "; ".join(
    f"{kind}-src 'self'" for kind in ("script", "style", "font", "connect")
)
POLICY += "; img-src 'self' data:"  # the theme's stylesheet draws its icons so


class Strict(SimpleHTTPRequestHandler):
    """Serves a folder under a policy that lets nothing run that stands in a page."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Strict, directory=str(site))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("served", [False, True], ids=["from disk", "under a strict policy"])
def test_in_a_browser(served: bool, site: Path, request: pytest.FixtureRequest) -> None:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        pytest.skip("no Chromium (apt-get install chromium)")
    root = request.getfixturevalue("address") if served else site.as_uri()
    told: list[str] = []
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        view = browser.new_page()
        view.on("console", lambda said: told.append(said.text) if said.type == "error" else None)
        view.on("pageerror", lambda error: told.append(str(error)))
        view.route("**/favicon.ico", lambda route: route.fulfill(status=204))
        for name in ("index.html", "api/index.html", "tutorials/verify.html"):
            view.goto(f"{root}/{name}")
        view.goto(f"{root}/search.html?q=jackknife")
        found = view.locator("#search-results li a")
        found.first.wait_for()
        assert "Statistics" in found.all_inner_texts()
        view.locator(".theme-toggle:visible").first.click()
        assert view.evaluate("document.body.dataset.theme") in ("light", "dark")
        browser.close()
    assert told == []


def slugs(text: str) -> set[str]:
    """Names of headings as forges make them."""
    headings = re.findall(r"^#{1,6} +(.+?)\s*$", text, re.MULTILINE)
    plain = [re.sub(r"\[(.+?)\]\(.+?\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_of_pages_outside_the_site(name: str) -> None:
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not urlsplit(link).scheme:
            path, _, heading = link.partition("#")
            target = REPOSITORY / path if path else REPOSITORY / name
            assert target.exists(), link
            if heading:
                assert heading in slugs(target.read_text(encoding="utf-8")), link
