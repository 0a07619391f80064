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
    link = page.get_by_role("link", name="Open the session's page").get_attribute("href")
    turn = told(f"{DEMO}/v1/turns/{link.split('turn=')[-1]}")
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


# A browser's own ears and mouth, as far as this page uses them: headless Chromium has neither. `heard` is what
# somebody says, `said` what the page has spoken, sentence by sentence.
STAND_INS = """
  window.said = [];
  class Ears extends EventTarget {
    start() { window.ears = this; }
    stop() { this.onend(); }
  }
  window.heard = (words, isFinal) => {
    const result = Object.assign([{ transcript: words }], { isFinal });
    window.ears.onresult({ results: [result] });
  };
  for (const name of ["SpeechRecognition", "webkitSpeechRecognition"]) Object.defineProperty(window, name, { value: Ears });
  window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
  let queue = [];
  const mouth = {
    getVoices: () => [{ name: "stand-in" }],
    addEventListener: () => {},
    speak: (utterance) => { window.said.push(utterance.text); queue.push(utterance); },
    cancel: () => { queue = []; window.cancelled = (window.cancelled ?? 0) + 1; },
  };
  window.spoken = () => queue.shift()?.onend();
  Object.defineProperty(window, "speechSynthesis", { value: mouth });
"""


def test_it_listens_and_speaks_and_is_broken_into_by_voice(visit):
    page = visit(f"{DEMO}/playground", lambda page: page.add_init_script(STAND_INS))
    expect(page.locator("#voices")).to_be_empty()
    page.get_by_role("button", name="Use the microphone").click()
    expect(page.locator("#state")).to_have_text("listening")
    page.evaluate("heard('I was passed', false)")
    expect(page.locator("#say")).to_have_value("I was passed")
    page.evaluate("heard('I was passed over for a promotion.', true)")
    expect(page.locator(".line.user")).to_have_text("I was passed over for a promotion.")
    # Each sentence is spoken as it is whole, the rest at the end.
    expect(page.locator("#now .picture")).to_be_visible()
    said = page.evaluate("said")
    assert len(said) > 1 and "".join(said).strip() == page.locator(".line.coach span:last-child").inner_text(), said
    expect(page.locator("#state")).to_have_text("the coach speaks")
    # One sentence was heard; then somebody speaks: silence at once, and the rest was not heard.
    page.evaluate("spoken()")
    page.evaluate("heard('Wait', false)")
    assert page.evaluate("cancelled") >= 1
    expect(page.locator(".line.coach s")).to_have_text("".join(said[1:]).strip())
    page.evaluate("heard('Wait, I meant something else.', true)")
    expect(page.locator(".line.coach")).to_have_count(2)
    page.get_by_role("button", name="Use the microphone").click()
    expect(page.locator("#mic")).to_have_attribute("aria-pressed", "false")


def test_a_council_can_be_called_and_says_who_was_heard(visit):
    page = opened(visit, "/playground?coach=council")
    say(page, "I was passed over for a promotion.")
    expect(page.locator("#now")).to_contain_text("council:pinned")
    expect(page.locator("#now")).to_contain_text("Council")


def test_a_server_that_is_gone_is_said_so(visit, shot):
    page = opened(visit)
    page.context.set_offline(True)
    say(page, "I was passed over for a promotion.")
    expect(page.locator(".line.trouble")).to_contain_text("does not answer: say it again")
    page.context.set_offline(False)
    shot(page, "playground-trouble")
    say(page, "I was passed over for a promotion.")
    expect(page.locator("#now .picture")).to_be_visible()
