"""Logging in and out."""

import json

from playwright.sync_api import expect

from conftest import KEYED, PATIENCE, log_in

expect.set_options(timeout=PATIENCE)


def test_a_key_opens_the_page_it_was_asked_for_and_logging_out_closes_it(visit, shot):
    page = visit(f"{KEYED}/playground")
    expect(page.locator("#key")).to_be_focused()
    log_in(page, "not-the-key")
    expect(page.get_by_role("alert")).to_contain_text("not one of the admin keys")
    shot(page, "login")
    log_in(page)
    expect(page.locator("#composer")).to_be_visible()
    # The key is nowhere where a script could find it.
    assert page.evaluate("document.cookie") == ""
    page.fill("#say", "I feel stuck today.")
    page.get_by_role("button", name="Speak").click()
    expect(page.locator(".line.coach")).to_be_visible()
    page.goto(f"{KEYED}/dashboard")
    page.get_by_role("button", name="Log out").click()
    expect(page.locator("#key")).to_be_visible()
    assert page.request.get(f"{KEYED}/v1/turns").status == 401


def test_a_login_that_is_over_is_said_so(visit):
    page = visit(f"{KEYED}/dashboard")
    log_in(page)
    expect(page.locator("#status")).to_have_text("ready")
    page.context.clear_cookies()
    expect(page.locator("#login-over")).to_be_visible()


def test_another_sites_page_can_change_nothing(visit):
    page = visit(f"{KEYED}/dashboard")
    log_in(page)
    expect(page.locator("#status")).to_have_text("ready")
    # The same machine under another name is another site; its own policy would not let it ask.
    other = page.context.new_page()
    other.goto(f"{KEYED}/healthz".replace("127.0.0.1", "localhost"))
    asked = """async (url) => {
      const body = JSON.stringify({ messages: [{ role: "user", content: "Hello" }] });
      await fetch(url, { method: "POST", mode: "no-cors", credentials: "include", body });
    }"""
    with other.expect_response(f"{KEYED}/chat/completions") as answered:
        other.evaluate(asked, f"{KEYED}/chat/completions")
    assert answered.value.status in (401, 403), answered.value.status
    turns = page.request.get(f"{KEYED}/v1/turns").text()
    assert "Hello" not in json.dumps(turns)
