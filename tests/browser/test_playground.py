"""The playground: speaking the real wire from a page."""

import re

from playwright.sync_api import expect

from conftest import DEMO, PATIENCE, told

expect.set_options(timeout=PATIENCE)


def opened(visit, path="/playground"):
    page = visit(DEMO + path, permissions=["clipboard-read", "clipboard-write"])
    expect(page.locator("#coach option")).not_to_have_count(1)
    return page


def say(page, words):
    page.fill("#say", words)
    page.press("#say", "Enter")


def test_words_come_and_the_turn_is_explained(visit, shot):
    page = opened(visit)
    page.locator(".sounds summary").click()
    page.get_by_label("Anxiety").fill("0.8")
    say(page, "I was passed over for a promotion.")
    expect(page.locator(".line.user")).to_have_text("I was passed over for a promotion.")
    expect(page.locator(".line.coach")).to_contain_text("?")
    now = page.locator("#now")
    expect(now.locator(".picture")).to_be_visible()
    for fact in ["career", "keyword:promotion", "$", "complete"]:
        expect(now).to_contain_text(fact)
    page.locator("#raw summary").click()
    expect(page.locator("#events")).to_contain_text("data: [DONE]")
    page.get_by_role("button", name="Copy as curl").click()
    curl = page.evaluate("navigator.clipboard.readText()")
    assert curl.startswith("curl -N 'http://") and '"Anxiety":0.8' in curl, curl
    page.get_by_role("button", name="Copy as OpenAI SDK code").click()
    code = page.evaluate("navigator.clipboard.readText()")
    compile(code, "copied", "exec")
    assert "base_url" in code and "x-clm-session" in code
    shot(page, "playground")


def test_coach_tier_and_user_are_those_chosen(visit):
    page = opened(visit, "/playground?coach=skills&tier=free")
    page.fill("#user", "ada")
    say(page, "I was passed over for a promotion.")
    expect(page.locator("#now")).to_contain_text("pinned")
    link = page.get_by_role("link", name="Open in the dashboard").get_attribute("href")
    turn = told(f"{DEMO}/v1/turns/{link.split('/')[-1]}")
    assert (turn["coach"], turn["tier"], turn["identity"]) == ("skills", "free", "signed")


def test_typing_over_the_coach_breaks_in(visit):
    page = opened(visit)
    page.select_option("#fault", "stall:8,ok")
    say(page, "Tell me everything about salaries.")
    expect(page.locator(".line.coach")).to_contain_text(re.compile(r"\w+ \w+"))
    page.locator("#say").press_sequentially("Wait")
    expect(page.locator(".line.coach s")).to_be_visible()
    expect(page.locator("#now")).to_contain_text("interrupted")
    page.select_option("#fault", "")
    say(page, "Wait, I meant something else.")
    expect(page.locator(".line.coach")).to_have_count(2)


def test_a_failure_is_heard_and_judged(visit):
    page = opened(visit)
    scene = page.locator(".scenes li", has_text="429, then 500")
    scene.get_by_role("button").click()
    expect(scene.locator(".pill")).to_have_text(re.compile(r"\d.* of 600"))
    expect(page.locator(".line.coach")).to_be_visible()
    # Its tokens pause for three seconds, in which the words before them still sound.
    stall = page.locator(".scenes li", has_text="a stall in mid-sentence")
    stall.get_by_role("button").click()
    expect(stall.locator(".pill")).to_have_text(re.compile(r"^(\d+|[12]\.\d+)\s(ms|s) of 1\.30"))
    down = page.locator(".scenes li", has_text="the user breaks in")
    down.get_by_role("button").click()
    expect(down.locator(".pill")).to_have_text(re.compile(r"\d.* of 600"))
    expect(page.locator("#now")).to_contain_text("failed")
