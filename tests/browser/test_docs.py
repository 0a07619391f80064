"""The API's document as a page: found, read, and its commands pasted into a shell."""

import json
import subprocess
import urllib.error

import pytest
from playwright.sync_api import expect

from conftest import DEMO, KEYED, PATIENCE, told

expect.set_options(timeout=PATIENCE)


def opened(visit, url=DEMO, at="", **how):
    page = visit(f"{url}/docs{at}", permissions=["clipboard-read", "clipboard-write"], **how)
    expect(page.locator("#pages .entry").first).to_be_visible()
    return page


def test_every_operation_and_every_error_is_there_without_a_key(visit, shot):
    page = opened(visit, KEYED)
    book = told(f"{KEYED}/openapi.json")
    methods = [method for path in book["paths"].values() for method in path if method != "head"]
    expect(page.locator(".entry")).to_have_count(len(methods) + len(book["x-errors"]))
    page.locator("#listTurns summary").first.click()
    entry = page.locator("#listTurns")
    for part in ["Needs an admin key", "slow_over", "at most 1000", "TurnPage", "invalid_request"]:
        expect(entry).to_contain_text(part)
    entry.locator("summary", has_text="TurnPage").click()
    expect(entry).to_contain_text("next_cursor")
    shot(page, "docs")


def test_a_search_finds_by_path_word_and_error_with_the_keyboard_alone(visit):
    page = opened(visit)
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("budget day")
    expect(page.locator("#found")).to_contain_text("found")
    expect(page.locator("#budget")).to_be_visible()
    expect(page.locator("#listTurns")).to_be_hidden()
    expect(page.locator("#contents a:visible").first).to_contain_text("/v1/budget")
    page.keyboard.press("Enter")
    expect(page.locator("#budget")).to_contain_text("Spent, set aside, left.")
    # Closed and opened again as any part of a page.
    expect(page.locator("#budget > summary")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#budget .body")).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    expect(page.locator("#listTurns")).to_be_visible()


def test_an_errors_link_leads_to_what_it_means(visit):
    error = told_error()
    page = opened(visit, at=error["docs"].removeprefix("/docs"))
    section = page.locator(f"#error-{error['type']}")
    expect(section).to_contain_text("Nothing is served at this address")
    expect(section.locator("summary")).to_be_focused()
    expect(section).to_be_in_viewport()
    # From an operation's answers too.
    page.locator("#normalize > summary").click()
    page.locator("#normalize").get_by_role("link", name="payload_too_large").click()
    expect(page.locator("#error-payload_too_large")).to_contain_text("64 KiB")


def told_error():
    with pytest.raises(urllib.error.HTTPError) as refused:
        told(f"{DEMO}/nowhere")
    return json.loads(refused.value.read())["error"]


@pytest.mark.parametrize(
    ("operation", "heard"),
    [
        ("humeTurn", "data: [DONE]"),
        ("openaiTurn", '"object":"chat.completion"'),
        ("normalize", '"spoken":'),
        ("mintSession", '"session_id":'),
        ("setFlag", '"is_set":true'),
        ("report", '"items":'),
        ("eraseUser", '"erased":'),
    ],
)
def test_a_copied_command_runs_in_a_shell(visit, operation, heard):
    page = opened(visit, at=f"#{operation}")
    page.locator(f"#{operation}").get_by_role("button", name="Copy").click()
    command = page.evaluate("navigator.clipboard.readText()")
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "no_proxy": "*"}
    ran = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0 and heard in ran.stdout, (command, ran.stdout, ran.stderr)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_reads_on_a_phone_in_both_lights(visit, shot, scheme):
    phone = {"width": 390, "height": 844}
    page = opened(visit, at="#openaiTurn", viewport=phone, color_scheme=scheme)
    page.locator("#openaiTurn summary", has_text="ChatRequest").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= phone["width"]
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    shot(page, f"docs-phone-{scheme}")
