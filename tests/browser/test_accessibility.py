"""Every page and state by axe-core, in dark and light and at the width of a phone."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from conftest import APART, DEMO, KEYED, PATIENCE, WORDS, log_in, speak

expect.set_options(timeout=PATIENCE)
# All its rules: those of WCAG 2.2 AA, and what it holds for good besides.
AXE = Axe()


def complaints(page):
    """What axe has to say of the page as it is now, and of what."""
    # Colours are told while nothing moves from one to the other.
    page.evaluate("Promise.all(document.getAnimations().map((a) => a.finished))")
    found = AXE.run(page).response
    assert len(found["passes"]) > 10, "it looked at something"
    return [f"{v['id']}: {v['help']}: {n['html'][:160]}" for v in found["violations"] for n in v["nodes"]]


def dashboard(visit, how):
    page = visit(f"{DEMO}/dashboard", **how)
    for panel in ["models", "coaches", "upstream", "flags", "experiments"]:
        expect(page.locator(f"#{panel} tbody tr").first).to_be_visible()
    expect(page.locator("#spend canvas")).to_be_visible()
    expect(page.locator("#dependencies li").first).to_be_visible()
    page.get_by_role("button", name="Turns by outcome: as a table").click()
    return page


def turn(visit, how):
    page = dashboard(visit, how)
    page.locator(".turn").first.click()
    expect(page.locator("#detail .picture")).to_be_visible()
    return page


def empty(visit, how):
    page = visit(f"{KEYED}/dashboard", **how)
    log_in(page)
    expect(page.locator("#live")).to_contain_text("No turns in this time")
    expect(page.locator("#flags tbody tr").first).to_be_visible()
    return page


def away(visit, how):
    turn = speak(APART, "s-heard", WORDS["career"])
    page = visit(f"{APART}/dashboard", **how)
    expect(page.locator(f'[data-turn="{turn}"]')).to_be_visible()
    expect(page.locator("#models .stale")).to_be_visible()
    return page


def login(visit, how):
    page = visit(f"{KEYED}/dashboard", **how)
    log_in(page, "not-the-key")
    expect(page.get_by_role("alert")).to_contain_text("not one of the admin keys")
    return page


def playground(visit, how):
    page = visit(f"{DEMO}/playground", **how)
    page.locator(".sounds summary").click()
    page.fill("#say", WORDS["career"])
    page.press("#say", "Enter")
    expect(page.locator("#now .picture")).to_be_visible()
    page.locator("#raw summary").click()
    return page


def session(visit, how):
    page = visit(f"{DEMO}/session?id=s-recovered", **how)
    page.locator("summary").click()
    expect(page.locator(".picture")).to_be_visible()
    expect(page.locator("#about tbody tr").first).to_be_visible()
    page.get_by_role("button", name="Make a link").click()
    expect(page.get_by_label("The link", exact=True)).to_be_visible()
    return page


def shared(visit, how):
    link = session(visit, how).get_by_label("The link", exact=True).input_value()
    page = visit(link, **how)
    page.locator("summary").click()
    expect(page.locator(".picture")).to_be_visible()
    return page


def refused(visit, how):
    page = visit(f"{DEMO}/shared#nonsense", **how)
    expect(page.locator("#about")).to_contain_text("This link is not whole")
    return page


def docs(visit, how):
    page = visit(f"{DEMO}/docs", **how)
    expect(page.locator("#contents a").first).to_be_visible()
    return page


STATES = [dashboard, turn, empty, away, login, playground, session, shared, refused, docs]
HOW = [
    {"color_scheme": "light"},
    {"color_scheme": "dark"},
    {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
]


@pytest.mark.parametrize("how", HOW, ids=["light", "dark", "phone"])
@pytest.mark.parametrize("state", STATES, ids=[state.__name__ for state in STATES])
def test_axe_finds_nothing(visit, turns, state, how):
    page = state(visit, how)
    assert complaints(page) == []
    # Who reads a page by its parts finds one title, and all of it within landmarks.
    assert page.locator("h1").count() == 1
    assert re.search(r"\S", page.title())


def test_axe_would_find_something(visit):
    page = visit(f"{DEMO}/playground")
    expect(page.locator(".scenes button").first).to_be_visible()
    page.evaluate("document.querySelector('.brand img').removeAttribute('alt')")
    assert [found.split(":")[0] for found in complaints(page)] == ["image-alt"]
