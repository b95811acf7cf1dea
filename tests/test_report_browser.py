"""The pages in a real browser: quiet, offline, sortable, filterable, and never too wide.

Needs Chromium (Debian: apt-get install chromium) and Playwright for Python. Where either is missing
these tests are skipped, but in continuous integration (CI=true) that is a failure.
"""

import os
import shutil
from pathlib import Path

import pytest
from made_studies import finished, hostile
from test_report_comparison import comparison, gallery

from kerasreg.report import render_comparison, render_report

pytestmark = pytest.mark.browser

OPTIONS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
WIDTHS = (360, 800, 1600)


def missing(what):
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"{what} is missing, and in CI the browser tests must run")
    pytest.skip(f"{what} is missing")


@pytest.fixture(scope="module")
def browser():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("Playwright for Python")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing("Chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=OPTIONS.split())
        yield running
        running.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Name -> file of one page of each kind."""
    folder = tmp_path_factory.mktemp("pages")
    finished(folder / "study", count=22, seeds=(0, 1))
    hostile(folder / "hostile")
    return {
        "study": render_report(folder / "study"),
        "hostile": render_report(folder / "hostile"),
        "comparison": render_comparison(comparison(), folder / "comparison"),
        "gallery": gallery(folder / "gallery"),
    }


@pytest.fixture
def open_page(browser):
    """Open a file; afterwards it must have said nothing and asked the network for nothing."""
    contexts, complaints, requests = [], [], []

    def open_it(path: Path, fragment="", **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri() + fragment)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []
    assert {url.split(":")[0] for url in requests} <= {"file", "data"}
    assert all(url.split("#")[0].endswith(".html") for url in requests if url.startswith("file:"))


def column(page, name):
    """Texts of one column of the trials' table, visible rows only."""
    heads = [text.strip() for text in page.locator("#trial-table thead th").all_inner_texts()]
    rows = page.locator("#trial-table tbody tr:visible:not(.detail)")
    position = heads.index(name)
    return [row.locator("> *").nth(position).inner_text().strip() for row in rows.all()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["study", "hostile", "comparison", "gallery"])
def test_nothing_overflows_and_nothing_runs(open_page, pages, name, scheme):
    page = open_page(pages[name], color_scheme=scheme)
    if page.locator(".open").count():
        page.locator(".open").first.click()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        wide = page.evaluate(
            """() => {
                const inside = (e) => e.closest('.scroll, .drawing, pre, .reason');
                const far = [...document.body.querySelectorAll('*')].filter((e) =>
                    !inside(e) && !e.closest('.skip')
                    && e.getBoundingClientRect().right > innerWidth + 1);
                return [document.documentElement.scrollWidth - innerWidth,
                        far.map((e) => e.outerHTML.slice(0, 120))];
            }"""
        )
        assert wide == [0, []], width
    assert page.evaluate("window.pwned") is None


def test_dark_and_light_differ(open_page, pages):
    colours = [
        open_page(pages["study"], color_scheme=scheme).evaluate(
            """() => [document.querySelector('section'), document.querySelector('figure text')].map(
                (e) => getComputedStyle(e).backgroundColor + getComputedStyle(e).fill)"""
        )
        for scheme in ("light", "dark")
    ]
    assert colours[0][0] != colours[1][0]
    assert colours[0][1] != colours[1][1]


def test_sorting_orders_numbers_and_keeps_the_unknown_last(open_page, pages):
    page = open_page(pages["study"])
    head = page.locator("#trial-table thead th", has_text="l2")
    assert page.locator("#trial-table thead th").nth(2).get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").click()
    ascending = [float(value) for value in column(page, "l2")]
    assert ascending == sorted(ascending)
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").press("Enter")
    assert [float(value) for value in column(page, "l2")] == ascending[::-1]
    score = page.locator("#trial-table thead th").nth(2)
    for _ in range(2):
        score.get_by_role("button").click()
        assert column(page, "val_data_loss")[-2:] == ["–", "–"]
    page.locator("#trial-table thead th").first.get_by_role("button").click()
    assert column(page, "trial")[0] == "t0"


def test_filtering_by_words_comparisons_and_status(open_page, pages):
    page = open_page(pages["study"])
    total = len(column(page, "trial"))
    page.locator("#filter").fill("dropout>0.3 batch")
    shown = list(zip(column(page, "dropout"), column(page, "normalization"), strict=True))
    assert 0 < len(shown) < total
    assert all(float(dropout) > 0.3 and norm == "batch" for dropout, norm in shown)
    assert page.locator("#shown").inner_text() == f"{len(shown)} of {total} trials"
    page.locator("#filter").fill("no such trial")
    assert column(page, "trial") == []
    page.get_by_role("button", name="Show all").click()
    assert len(column(page, "trial")) == total
    page.locator("#status").select_option("failed")
    assert column(page, "trial") == ["broken"]
    assert "out of <b>luck</b>" in page.locator("#trial-table").inner_text()


def test_a_trial_opens_by_keyboard_and_moves_with_its_row(open_page, pages):
    page = open_page(pages["study"])
    button = page.locator(".open").first
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    drawings = page.locator(".detail svg")
    assert drawings.count() == 3
    assert drawings.first.get_attribute("aria-label").startswith("data loss: training ends at")
    name = button.inner_text()
    page.locator("#trial-table thead th").first.get_by_role("button").click()
    before = page.locator(".detail").evaluate("(row) => row.previousElementSibling.innerText")
    assert before.startswith(name)
    page.locator("#status").select_option("failed")
    assert page.locator(".detail:visible").count() == 0
    page.locator("#status").select_option("")
    page.locator(".open[aria-expanded=true]").press("Space")
    assert page.locator(".detail").count() == 0


def test_a_dot_of_a_figure_leads_to_its_trial(open_page, pages):
    page = open_page(pages["study"])
    page.locator("#status").select_option("failed")
    dot = page.locator("#response_surface a").first
    assert dot.get_attribute("tabindex") == "-1"
    target = dot.evaluate("(a) => a.href.baseVal").removeprefix("#")
    dot.locator("use").click()
    row = page.locator(f"#{target}")
    row.locator(".open[aria-expanded=true]").wait_for()
    assert row.evaluate("(row) => row.classList.contains('target')")
    linked = open_page(pages["study"], fragment="#trial-3")
    assert linked.locator("#trial-3 .open").get_attribute("aria-expanded") == "true"


def test_everything_that_acts_can_be_reached_by_tabulator(open_page, pages):
    page = open_page(pages["study"])
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("(document.activeElement.id || document.activeElement.className)")
        )
    assert {"skip", "filter", "status", "open", "drawing", "scroll trials"} <= reached


def test_without_scripts_the_page_is_complete(open_page, pages):
    page = open_page(pages["study"], java_script_enabled=False)
    assert page.locator("#trial-table tbody tr:visible").count() == 24
    assert page.locator(".filters:visible").count() == 0


def test_print_is_light_and_shows_every_row(open_page, pages):
    page = open_page(pages["study"], color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 703, "height": 1000})  # A4 within its margins
    assert page.evaluate("document.documentElement.scrollWidth") == 703
    ink = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--ink')")
    assert ink.strip() == "#1b1f24"
    table = page.locator(".trials").evaluate("(e) => [e.scrollHeight, e.clientHeight]")
    assert table[0] <= table[1] + 1
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
