"""The leaderboard in a real browser: headless Chromium, offline, opened from disk."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from page_rows import HOSTILE, make_row, make_rows, make_statement, unrun
from PIL import Image
from synthetic import project

from segmodels.leaderboard import Row, folder, render_html
from segmodels.leaderboard.table_data import part
from segmodels.metrics.robustness import Curve, CurvePoint, Robustness
from segmodels.verdicts.verdict import STATUSES

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (apt-get install chromium)")

DEPICT = [
    ("ade20k", 54.3),
    ("ade20k", 52.9),
    ("cityscapes", 81.0),
    ("cityscapes", 78.8),
    ("pascal_context", 58.6),
    ("pascal_context", 57.9),
]

PAGES = [
    "leaderboard.html",
    *(f"claims/{name}.html" for name in ("net_toy", "net-beats-other", "closed", "hostile")),
]


def some_rows() -> list[Row]:
    """Six featured claims, claims of every status, other protocols, and a hostile one."""
    curve = Curve("corruption", "fog", (CurvePoint(1.0, 45.0, 0.9), CurvePoint(3.0, 30.0, 0.6)))
    page = {"source": "SOTAVerified page of arXiv 2411.03033", "paper": "depict", "title": ""}
    shown = [
        unrun(claim=f"depict_{i}", model="depict_sa_l", dataset=dataset, claimed=value, **page)
        for i, (dataset, value) in enumerate(DEPICT)
    ]
    return [
        *make_rows(120),
        *shown,
        make_row(robustness=Robustness(50.0, 37.5, 0.75, (curve,)), figure="figures/net.png"),
        make_row(claim=None, claimed=None, run="net", protocol="toy-ms", verified=51.5, gap=None),
        make_row(claim="hostile", model=HOSTILE, paper="hostile", title="", protocol=HOSTILE),
        make_statement(),
        unrun(claim="closed", paper="closed", todo=("gated data: No.", "  at https://x.org/a")),
        make_row(claim="unpainted", paper="unpainted", figure="figures/elsewhere.png"),
    ]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    # Chromium refuses its sandbox to root, as whom containers run.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with api.sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)


def write(root: Path, rows: list[Row]) -> Path:
    """The whole folder as `segmodels leaderboard` leaves it, with the files it links to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGMODELS_ROOT", str(project(root)))
        patch.setattr(folder, "build_rows", lambda *_, **__: rows)
        folder.write_leaderboard(root / "evidence", root / "reports")
    return root / "reports"


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("board")
    out = write(root, some_rows())
    for path in ("evidence/net/toy-ss/0123456789abcdef.json", "figures/net.png"):
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_bytes(b"")
    Image.new("RGB", (600, 150), "green").save(out / "figures" / "net.png")
    return out


class Visit:
    """A page with everything it asked for and complained about."""

    def __init__(self, browser: Any, **options: Any) -> None:
        size = options.pop("viewport", {"width": 1300, "height": 900})
        self.context = browser.new_context(viewport=size, **{"offline": True, **options})
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def _hear(self, message: Any) -> None:
        """Everything but the browser's own line about a picture that is not in git."""
        if not re.search(r"/figures/[^/]+\.png$", message.location.get("url", "")):
            self.complaints.append(message.text)

    def open(self, path: Path, view: str = "") -> Any:
        self.page.goto(path.as_uri() + view)
        return self.page


@pytest.fixture
def visit(browser: Any) -> Iterator[Any]:
    visits = []

    def start(**options: Any) -> Visit:
        visits.append(Visit(browser, **options))
        return visits[-1]

    yield start
    for one in visits:
        one.context.close()
        assert one.complaints == []
        assert [url for url in one.asked if not url.startswith("file://")] == []


def shown(page: Any, column: str) -> list[str]:
    """The first lines of a column's cells on the current page of the table."""
    cells = page.locator(f'#board tbody [data-label="{column}"]').all_inner_texts()
    return [cell.split("\n")[0] for cell in cells]


def count(page: Any) -> int:
    found = re.search(r"of ([\d,]+)", page.locator("#board_info").inner_text())
    return int(found[1].replace(",", "")) if found else 0


def sort_by(page: Any, column: str) -> None:
    page.get_by_role("button", name=f"{column}: Activate").click()
    head = page.locator("#board thead th", has_text=column)
    api.expect(head).to_have_attribute("aria-sort", "descending")


def counter(page: Any, status: str, group: str = "scores") -> Any:
    return page.locator(f'.counters button[data-group="{group}"][data-status="{status}"]')


def test_the_table_starts_with_sotaverified_and_asks_for_nothing(visit: Any, reports: Path) -> None:
    one = visit()
    page = one.open(reports / "leaderboard.html")
    assert shown(page, "Claimed")[:6] == [f"{value:.1f}" for _, value in DEPICT]
    assert shown(page, "Dataset")[:6] == [dataset for dataset, _ in DEPICT]
    assert count(page) == len([row for row in some_rows() if part(row) != "blocked"])
    assert page.locator("#board tbody tr").count() == 50
    assert one.asked == [(reports / "leaderboard.html").as_uri()]


def test_who_else_prints_a_number_stands_in_its_row(visit: Any, tmp_path: Path) -> None:
    others = make_row(claim="theirs", model="theirs", claimant="re-implementation")
    out = write(tmp_path, [make_row(claim="ours", model="ours"), others])
    page = visit().open(out / "leaderboard.html")
    cells = page.locator('#board tbody [data-label="Model"]').all_inner_texts()
    assert [cell.split("\n") for cell in cells] == [
        ["ours", "ToyNet"],
        ["theirs", "ToyNet, re-implementation"],
    ]


def test_counters_and_filters_leave_what_fits(visit: Any, reports: Path) -> None:
    page = visit().open(reports / "leaderboard.html")
    rows = some_rows()
    counter(page, "below").click()
    assert set(shown(page, "Status")) == {"below"}
    assert count(page) == sum(row.verdict.status == "below" for row in rows)
    counter(page, "better").click()
    page.get_by_role("combobox", name="Dataset").select_option("set_2")
    either = [row for row in rows if row.verdict.status in ("below", "better")]
    wanted = [row for row in either if row.subject.dataset == "set_2"]
    assert count(page) == len(wanted) > 0
    assert set(shown(page, "Dataset")) == {"set_2"}
    page.get_by_role("button", name="Clear").click()
    api.expect(page.locator("#board_info")).to_contain_text(f"({len(rows)} in all)")
    assert counter(page, "below").get_attribute("aria-pressed") == "false"
    page.get_by_label("Search").fill("depict")
    assert count(page) == 6
    page.get_by_label("Search").fill("nothing like this")
    assert "No row fits" in page.locator("#board tbody").inner_text()


def test_blocked_rows_are_folded_by_reason_until_they_are_asked_for(
    visit: Any, reports: Path
) -> None:
    page = visit().open(reports / "leaderboard.html")
    blocked = [row for row in some_rows() if row.verdict.status == "blocked"]
    fold = page.locator("#folded")
    assert f"{len(blocked)} rows are blocked and folded" in fold.inner_text()
    assert set(shown(page, "Status")[len(DEPICT) :]) & {"blocked"} == set()
    fold.locator("summary").first.click()
    reason = fold.locator("details[open] a").first
    asked = int(reason.inner_text().split()[0])
    reason.click()
    api.expect(page.locator("#board_info")).to_contain_text(f"of {asked}")
    assert set(shown(page, "Status")) == {"blocked"}
    assert fold.is_hidden()
    page.get_by_role("button", name="Clear").click()
    api.expect(fold).to_be_visible()
    counter(page, "blocked").click()
    assert count(page) == len(blocked)


def test_a_row_opens_in_place_and_can_be_linked(visit: Any, reports: Path) -> None:
    page = visit().open(reports / "leaderboard.html", "#row=hostile")
    assert count(page) == 1
    more = page.locator("#board tr.more")
    assert "segmodels verify hostile" in more.inner_text()
    link = page.locator("#board a.row")
    assert link.get_attribute("aria-expanded") == "true"
    link.click()
    assert more.count() == 0
    assert link.get_attribute("aria-expanded") == "false"
    page.get_by_label("Search").fill("net_toy")
    api.expect(page.locator("#board tbody tr")).to_have_count(1)
    assert page.evaluate("location.hash") == "#q=net_toy"


def test_columns_sort_both_ways_and_what_is_missing_comes_last(visit: Any, reports: Path) -> None:
    page = visit().open(reports / "leaderboard.html")
    counter(page, "partial").click()
    counter(page, "partial", "statements").click()
    counter(page, "blocked").click()
    button = page.get_by_role("button", name="Gap")
    head = page.locator("#board thead th", has_text="Gap")
    for way in ("descending", "ascending"):
        button.click()
        api.expect(head).to_have_attribute("aria-sort", way)
        gaps = shown(page, "Gap")
        assert "\u2013" not in gaps[:20]
        assert gaps[20:] == ["\u2013"] * (len(gaps) - 20)
    sort_by(page, "Claimed")
    *printed, last = shown(page, "Claimed")
    assert last == "\u2013"  # the statement
    numbers = [float(text) for text in printed]
    assert numbers == sorted(numbers, reverse=True)


def test_a_view_can_be_linked(visit: Any, reports: Path) -> None:
    one = visit()
    page = one.open(reports / "leaderboard.html")
    counter(page, "verified").click()
    page.get_by_role("combobox", name="Paper").select_option("paper_6")
    page.get_by_label("Search").fill("net_")
    sort_by(page, "Claimed")
    view = page.evaluate("location.hash")
    assert view == "#q=net_&paper=paper_6&status=scores%3Averified&sort=claimed%3Adesc"
    before = shown(page, "Claimed")
    again = visit().open(reports / "leaderboard.html", view)
    assert shown(again, "Claimed") == before
    assert counter(again, "verified").get_attribute("aria-pressed") == "true"
    assert again.get_by_role("combobox", name="Paper").input_value() == "paper_6"
    again.evaluate("location.hash = '#status=below&page=1'")
    api.expect(again.get_by_role("combobox", name="Paper")).to_have_value("")
    assert set(shown(again, "Status")) == {"below"}


@pytest.mark.parametrize(
    "view", ["#page=3", "#page=99", "#status=nonsense", "#sort=x:y&paper=<b>", "#net_toy", "#=&&"]
)
def test_views_by_hand_do_no_harm(visit: Any, reports: Path, view: str) -> None:
    page = visit().open(reports / "leaderboard.html", view)
    assert page.locator("#board tbody tr").count() > 0
    if view == "#page=3":
        assert "Rows 101 to" in page.locator("#board_info").inner_text()
        page.get_by_role("link", name="First").click()
        assert page.evaluate("location.hash") == ""


def test_everything_linked_is_there(visit: Any, reports: Path) -> None:
    page = visit().open(reports / "leaderboard.html")
    pages = [reports / "leaderboard.html", *sorted((reports / "claims").glob("*.html"))[::20]]
    names = ("net_toy.html", "hostile.html", "unpainted.html", "net-beats-other.html")
    pages += [reports / "claims" / name for name in names]
    for path in pages:
        page.goto(path.as_uri())
        links = page.evaluate(
            "[...document.querySelectorAll('a[href],img,link,script[src]')]"
            ".map((e) => e.href?.baseVal ?? e.href ?? e.src)"
        )
        links = [link for link in links if not link.startswith(("data:", "#", "https://"))]
        assert links
        for link in links:
            target = Path(re.sub(r"^file://", "", str(link)).split("#")[0])
            if not target.is_absolute():  # an SVG keeps its address as it was written
                target = path.parent / target
            made_up = "evidence" in target.parts and target.name != "0123456789abcdef.json"
            picture = target.parent == reports / "figures"  # made by a run, not kept in git
            assert made_up or picture or target.is_file(), (path.name, link)


@pytest.mark.parametrize("script", [True, False])
def test_a_picture_that_is_not_there_leaves_a_sentence(
    visit: Any, reports: Path, script: bool
) -> None:
    page = visit(java_script_enabled=script).open(reports / "claims" / "unpainted.html")
    on_top = """(p) => {
      const { x, y } = p.getBoundingClientRect();
      return document.elementFromPoint(x + 9, y + 9).tagName;
    }"""
    sentence, picture = page.locator(".picture p"), page.locator(".picture img")
    sentence.scroll_into_view_if_needed()
    assert sentence.evaluate(on_top) == "P"
    assert picture.evaluate("(image) => image.clientWidth") == 0
    page.goto((reports / "claims" / "net_toy.html").as_uri())
    sentence.scroll_into_view_if_needed()
    api.expect(picture).to_have_js_property("clientWidth", 600)
    assert sentence.evaluate(on_top) == "IMG"


def test_a_statement_is_a_row_without_empty_cells(visit: Any, reports: Path) -> None:
    page = visit().open(reports / "leaderboard.html", "#q=%22beats+other%22")
    assert count(page) == 1
    cells = page.locator("#board tbody tr > *:visible")
    outcome = "1 of 3 parts holds, 1 does not, 1 open"
    assert [text.split("\n")[0] for text in cells.all_inner_texts()] == [
        *("statement", "Net beats Other", "partial", outcome)
    ]
    head = page.locator("#board thead th", has_text="Status").bounding_box()
    assert cells.nth(2).bounding_box()["x"] == pytest.approx(head["x"], abs=1)
    page.set_viewport_size({"width": 390, "height": 844})
    assert "\u2013" not in page.locator("#board tbody").inner_text()
    parts = page.locator("#statements li")
    assert [text.split()[0] for text in parts.all_inner_texts()] == ["holds", "does", "open"]
    page.get_by_role("link", name="Statements that compare models").click()
    api.expect(page.locator("#statements")).to_be_in_viewport()


def test_counters_count_what_the_filters_leave(visit: Any, reports: Path) -> None:
    page = visit().open(reports / "leaderboard.html")
    rows = some_rows()
    below = [row for row in rows if row.verdict.status == "below"]
    assert counter(page, "below").inner_text().split() == [str(len(below)), "below"]
    counter(page, "better").click()  # of one counter the others do not depend
    assert counter(page, "below").inner_text().split() == [str(len(below)), "below"]
    page.get_by_role("combobox", name="Dataset").select_option("set_2")
    left = sum(row.subject.dataset == "set_2" for row in below)
    told = [str(left), "of", str(len(below)), "below"]
    assert counter(page, "below").inner_text().split() == told
    page.get_by_label("Search").fill("nothing like this")
    assert counter(page, "below").inner_text().split() == ["0", *told[1:]]
    page.get_by_role("button", name="Clear").click()
    api.expect(counter(page, "below").locator("small")).to_be_empty()


def test_every_verdict_says_what_it_means(visit: Any, reports: Path) -> None:
    page = visit().open(reports / "leaderboard.html")
    titles = page.locator("#board tbody .status").evaluate_all("(all) => all.map((s) => s.title)")
    assert set(titles) <= set(STATUSES.values())
    page.get_by_text("How to read this").click()
    assert page.locator(".guide li").count() == 5
    assert page.locator(".guide li").first.is_visible()


def test_print_is_a_table_on_light_paper(visit: Any, reports: Path) -> None:
    one = visit(color_scheme="dark", viewport={"width": 1030, "height": 700})  # A4, landscape
    page = one.open(reports / "leaderboard.html")
    page.emulate_media(media="print")
    assert not page.locator(".filters").is_visible()
    assert page.locator("#board tbody tr").first.evaluate("(e) => e.offsetHeight") < 60
    display = "getComputedStyle(document.querySelector('#board tbody tr')).display"
    assert page.evaluate(display) == "table-row"
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", ground))) > 700
    assert page.evaluate("document.documentElement.scrollWidth") <= 1030


def test_strangers_run_nothing(visit: Any, reports: Path) -> None:
    one = visit()
    one.page.on("dialog", lambda dialog: one.complaints.append(dialog.message))
    page = one.open(reports / "leaderboard.html", "#q=hostile")
    assert shown(page, "Model")[0].startswith("</script><script>alert(1)")
    assert page.locator("#board img").count() == 0
    page.goto((reports / "claims" / "hostile.html").as_uri())
    assert "</script><script>" in page.locator("h1").inner_text()


def test_the_policy_stops_what_a_page_was_made_to_hold(browser: Any, tmp_path: Path) -> None:
    """As if something had slipped past the templates: the browser is the second wall."""
    out = write(tmp_path, [make_row()])
    for name in ("leaderboard.html", "claims/net_toy.html"):
        path = out / name
        slipped = (
            "<script>document.title = 'ran'</script><b onclick=\"document.title = 'ran'\" "
            'id="b" style="color: red">b</b><img src="x" onerror="document.title = \'ran\'">'
        )
        text = path.read_text().replace("<main>", f"<main>{slipped}", 1)
        path.write_text(text)
        one = Visit(browser)
        page = one.open(path)
        page.locator("#b").click()
        assert page.title() != "ran"
        assert page.locator("#b").evaluate("(b) => getComputedStyle(b).color") != "rgb(255, 0, 0)"
        assert any("Content Security Policy" in complaint for complaint in one.complaints)
        one.context.close()


def test_the_scatter_follows_the_filters(visit: Any, reports: Path) -> None:
    page = visit().open(reports / "leaderboard.html")
    assert page.locator("#scatter a.out").count() == 0
    counter(page, "below").click()
    bright = page.locator("#scatter a:not(.out)")
    assert bright.count() == 2 * count(page)
    assert set(bright.evaluate_all("(all) => all.map((a) => a.classList[0])")) == {"below"}


def test_the_keyboard_reaches_and_works_everything(visit: Any, reports: Path) -> None:
    page = visit().open(reports / "leaderboard.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the table"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "results"
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) != "none"
    reached = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.type")
        )
    assert {"search", "select-one", "reset", "Gap: Activate to sort"} <= reached
    page.locator(".dt-column-order[aria-label^=Model]").focus()
    page.keyboard.press("Enter")
    model = page.locator("#board thead th", has_text="Model")
    api.expect(model).to_have_attribute("aria-sort", "ascending")


def test_a_screen_reader_finds_landmarks_names_and_heads(visit: Any, reports: Path) -> None:
    page = visit().open(reports / "leaderboard.html")
    for role in ("banner", "main", "contentinfo", "search"):
        assert page.get_by_role(role).count() == 1
    table = page.get_by_role("table", name="Published numbers and what was measured")
    assert table.get_by_role("columnheader").count() == 11
    assert table.get_by_role("rowheader").count() == 50
    assert page.locator("#board_info").get_attribute("aria-live") == "polite"
    assert page.locator("input,select").evaluate_all("(all) => all.every((c) => c.labels.length)")
    assert page.locator("svg[role=img]").evaluate_all("(all) => all.every((s) => s.ariaLabel)")


_CONTRAST = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = (rgb) => rgb.slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const words = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!words || !element.checkVisibility() || element.closest(".hidden,.disabled")) continue;
    const style = getComputedStyle(element);
    const colour = element.closest("svg") ? style.fill : style.color;
    const [a, b] = [light(parse(colour)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return [...new Set(poor)];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES[:4])
def test_text_is_readable_in_light_and_dark(
    visit: Any, reports: Path, scheme: str, name: str
) -> None:
    page = visit(color_scheme=scheme).open(reports / name)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground))) > 380) == (scheme == "light")
    assert page.evaluate(_CONTRAST) == []


@pytest.mark.parametrize("name", PAGES)
def test_no_page_scrolls_sideways(visit: Any, reports: Path, name: str) -> None:
    page = visit().open(reports / name)
    for width in (390, 768, 1050, 1300):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing: a test prints no requests."""


@pytest.fixture
def host(reports: Path) -> Iterator[str]:
    """A static host on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=reports.parent)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_static_host_serves_it_as_well(browser: Any, host: str) -> None:
    one = Visit(browser, offline=False)
    page = one.page
    page.goto(f"{host}/reports/leaderboard.html#q=net_toy")
    assert count(page) == 1
    page.locator("#board tbody a").first.click()
    page.get_by_role("link", name="classes, provenance, badge").click()
    page.wait_for_url("**/claims/net_toy.html")
    assert f"({host}/reports/claims/net_toy.svg)" in page.locator("main").inner_text()
    assert page.locator("img[src$='.svg']").evaluate("(image) => image.naturalWidth") > 50
    page.goto(f"{host}/reports/claims/unpainted.html")
    assert page.get_by_text("it is not kept in git").is_visible()
    one.context.close()
    assert one.complaints == []
    assert [url for url in one.asked if not url.startswith((host, "data:"))] == []


def test_without_script_everything_measured_is_there(visit: Any, reports: Path) -> None:
    page = visit(java_script_enabled=False).open(reports / "leaderboard.html")
    table = page.locator("noscript table")
    assert table.is_visible()
    measured = [row for row in some_rows() if part(row) in ("scores", "own")]
    assert table.locator("tbody tr").count() == len(measured) + len(DEPICT)
    assert not page.locator(".filters").is_visible()
    assert not page.locator("#board").is_visible()


def test_the_command_can_be_copied(visit: Any, reports: Path) -> None:
    one = visit(permissions=["clipboard-read", "clipboard-write"])
    page = one.open(reports / "claims" / "net_toy.html")
    page.get_by_role("button", name="Copy").first.click()
    api.expect(page.get_by_role("button").first).to_have_text(re.compile("Copied|Selected"))
    assert page.locator("img[src$='.svg']").evaluate("(image) => image.naturalWidth") > 50


def test_ten_thousand_rows_stay_usable(
    visit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMODELS_ROOT", str(project(tmp_path)))
    rows = make_rows(10_000)
    (tmp_path / "leaderboard.html").write_text(render_html(rows), encoding="utf-8")
    page = visit().open(tmp_path / "leaderboard.html")
    counted = sum(part(row) != "blocked" for row in rows)
    assert count(page) == counted
    assert page.locator("#board tbody tr").count() == 50
    assert page.evaluate("document.querySelectorAll('*').length") < 5_000
    page.get_by_label("Search").fill("claim_777")
    assert count(page) == 11
    page.get_by_label("Search").fill("")
    counter(page, "below").click()
    assert count(page) == sum(row.verdict.status == "below" for row in rows)
    sort_by(page, "Claimed")
    highest = max(row.subject.claimed or 0.0 for row in rows if row.verdict.status == "below")
    assert shown(page, "Claimed")[0] == f"{highest:.1f}"
    page.get_by_role("link", name="Last").click()
    assert "of 1,667" in page.locator("#board_info").inner_text()
