"""A session's page, and the link that shows it to somebody without a key."""

import json
import re

from playwright.sync_api import expect

from conftest import APART, DEMO, KEYED, PATIENCE, WORDS, ask, hume_tells, log_in, recorded, speak, told, until

expect.set_options(timeout=PATIENCE)
CAREER = "It is fair to want more"


def opened(visit, session, **how):
    page = visit(f"{DEMO}/session?id={session}", **how)
    expect(page.locator("details[data-turn]").first).to_be_visible()
    return page


def conversation(session):
    """A whole one: three coaches, one turn that another model took up, one broken into, one failed; their ids."""
    ids = []
    for words, how in [
        (WORDS["career"], {}),
        (WORDS["skills"], {"fault": "cut:9,ok"}),
        (WORDS["career"] + " Again.", {"read": 400}),
        (WORDS["master"], {"fault": "500,503,529,401"}),
    ]:
        ids.append(speak(DEMO, session, words, **how))
        # Else one that was broken into could find the next one there before its end, and be superseded.
        recorded(DEMO, ids[-1])
    return ids


def test_the_whole_conversation_is_shown_in_order(visit, shot):
    ids = conversation("s-whole")
    hume_tells("chat_ended", "chat-whole", "s-whole")
    # It is taken at once and kept a moment later; the page that is opened then asks once.
    until("the chat is kept", lambda: "chat-whole" in json.dumps(told(f"{DEMO}/v1/sessions/s-whole")))
    page = opened(visit, "s-whole")
    lines = page.locator("details[data-turn]")
    expect(lines).to_have_count(4)
    assert lines.evaluate_all("all => all.map((d) => d.dataset.turn)") == ids
    for line, parts in enumerate([["career", "keyword:promotion", "complete"], ["skills", "continued", "partial recovered"], ["interrupted"], ["failed"]]):
        for part in parts:
            expect(lines.nth(line)).to_contain_text(part)
    about = page.locator("#about")
    expect(about).to_contain_text("4: 1 complete, 1 failed, 1 interrupted, 1 partial recovered")
    expect(about).to_contain_text("Chat at hume")
    expect(about).to_contain_text("chat-whole")
    expect(about.locator("tbody tr")).to_have_count(3)
    expect(about).to_contain_text(re.compile(r"Cost\$0\.\d+"))
    lines.first.locator("summary").click()
    inside = lines.first.locator(".inside")
    for fact in ["Model", "Memory", "Tokens", "premium", "$", "Our own share"]:
        expect(inside).to_contain_text(fact)
    expect(inside).to_contain_text("What was said is not kept")
    expect(page).to_have_url(re.compile(f"turn={ids[0]}$"))
    page.reload()
    expect(page.locator("details[open]")).to_have_attribute("data-turn", ids[0])
    page.get_by_role("button", name="Open all").click()
    expect(page.locator(".picture")).to_have_count(4)
    with page.expect_download() as saved:
        page.get_by_role("button", name="The conversation: save as CSV").click()
    with open(saved.value.path(), encoding="utf-8") as file:
        assert len(file.read().splitlines()) == 5
    shot(page, "session")


def test_a_turn_appears_as_it_ends_and_nothing_moves_under_the_reader(visit, shot):
    first = speak(DEMO, "s-growing", WORDS["career"])
    recorded(DEMO, first)
    page = opened(visit, "s-growing", color_scheme="dark")
    expect(page.locator("#status")).to_have_text("live")
    page.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".picture")).to_be_visible()
    second = speak(DEMO, "s-growing", WORDS["skills"])
    expect(page.locator(f'details[data-turn="{second}"]')).to_be_visible()
    expect(page.locator("details[open] .picture")).to_be_visible()
    expect(page.locator(f'details[data-turn="{first}"] summary')).to_be_focused()
    expect(page.locator("#about")).to_contain_text("2: 2 complete")
    expect(page.locator("#about tbody tr")).to_have_count(2)
    shot(page, "session-dark")


def test_a_council_shows_who_was_heard(visit, turns, shot):
    record = told(f"{DEMO}/v1/turns/{turns['council']}")
    heard = {attempt["coach"] for attempt in record["attempts"]} - {None}
    assert len(heard) >= 2, record
    page = visit(f"{DEMO}/session?id={turns['council']}")
    inside = page.locator("details[open] .inside")
    expect(inside.locator("dl.facts")).to_contain_text("Council")
    for coach in heard:
        expect(inside.locator(".picture")).to_contain_text(coach)
        expect(inside.locator("tbody")).to_contain_text(coach)
        expect(page.locator("#about tbody")).to_contain_text(coach)
    shot(page, "session-council")
    page.get_by_role("link", name="Open in the playground").click()
    expect(page.locator("#coach")).to_have_value("council")


def test_words_are_shown_where_they_are_kept_and_can_be_said_again(visit, shot):
    try:
        ask(f"{DEMO}/v1/flags/capture", {"value": True}, method="PUT")
        turn = speak(DEMO, "s-kept", WORDS["career"])
        until("its words", lambda: "words" in recorded(DEMO, turn))
    finally:
        ask(f"{DEMO}/v1/flags/capture", {"value": None}, method="PUT")
    page = visit(f"{DEMO}/session?id=s-kept&turn={turn}")
    expect(page.locator(".said")).to_contain_text(WORDS["career"])
    expect(page.locator(".said")).to_contain_text(CAREER)
    shot(page, "session-words")
    page.get_by_role("link", name="Say it again in the playground").click()
    expect(page.locator("#say")).to_have_value(WORDS["career"])
    expect(page.locator("#coach")).to_have_value("career")
    assert "promotion" not in page.url
    # A link shows none of them.
    page.go_back()
    page.get_by_role("button", name="Make a link").click()
    shared = visit(page.get_by_label("The link", exact=True).input_value())
    shared.locator("summary").click()
    expect(shared.locator(".picture")).to_be_visible()
    assert "promotion." not in shared.content() and CAREER not in shared.content()


def test_the_playground_is_set_as_the_session_was(visit):
    session = "s-free"
    turn = speak(DEMO, session, WORDS["skills"])
    recorded(DEMO, turn)
    page = opened(visit, session)
    page.locator("#actions").get_by_role("link", name="Open in the playground").click()
    expect(page.locator("#coach")).to_have_value("skills")
    expect(page.locator("#tier")).to_have_value(told(f"{DEMO}/v1/turns/{turn}")["tier"])


def spoken_with_keys(page, words):
    """A turn of the playground on the server with keys; opens its session's page."""
    page.goto(f"{KEYED}/playground")
    page.fill("#say", words)
    page.press("#say", "Enter")
    page.get_by_role("link", name="Open the session's page").click()
    expect(page.locator("details[open] .picture")).to_be_visible()


def test_a_login_leads_to_the_session_that_was_asked_for(visit):
    page = visit(f"{KEYED}/session?id=s-nobody%22%3E")
    log_in(page)
    expect(page).to_have_url(re.compile("/session.id=s"))
    expect(page.locator("#about")).to_contain_text("No session")


def test_a_link_opens_one_session_without_a_key(visit, shot):
    page = visit(f"{KEYED}/dashboard")
    log_in(page)
    spoken_with_keys(page, WORDS["career"])
    page.get_by_label("How long the link lasts").select_option("a week")
    page.get_by_role("button", name="Make a link").click()
    expect(page.locator("#actions")).to_contain_text("without a key and without a word of anybody")
    link = page.get_by_label("The link", exact=True).input_value()
    assert link.startswith(f"{KEYED}/shared#"), link
    name = page.locator("#about .mono").first.inner_text()
    shot(page, "session-link")
    # Somebody else's browser: no login, no key.
    shared = visit(link)
    expect(shared.locator("#title")).to_have_text("A session, shared")
    expect(shared.locator("#shared")).to_contain_text("It tells no words and no names")
    shared.locator("summary").click()
    expect(shared.locator(".picture")).to_be_visible()
    expect(shared.locator("#about")).to_contain_text("$")
    assert name not in shared.content()
    for absent in ["#actions *", "#search", "#pages", ".said"]:
        expect(shared.locator(absent).filter(visible=True)).to_have_count(0)
    shot(shared, "shared")
    # It opens nothing else.
    shared.goto(f"{KEYED}/session?id={name}")
    expect(shared.locator("#key")).to_be_visible()
    # Nor where one character is another, and another link in its place is looked at anew.
    broken = link[:-10] + ("B" if link[-10] == "A" else "A") + link[-9:]
    shared.goto(link)
    expect(shared.locator("summary")).to_be_visible()
    shared.goto(broken)
    expect(shared.locator("#about")).to_contain_text("This link is not whole")
    expect(shared.locator("#about")).to_contain_text("Ask whoever sent the link for another")
    expect(shared.locator("summary")).to_have_count(0)
    expect(shared.locator("#login-over")).to_be_hidden()
    shot(shared, "shared-broken")
    # The server that has the data key and not its maker's takes it for over.
    over = visit(link.replace(KEYED, APART))
    expect(over.locator("#about")).to_contain_text("This link does not hold any more")


def test_a_session_that_is_not_there_is_said_so(visit, shot):
    page = visit(f"{DEMO}/session?id=nobody")
    expect(page.locator("#status")).to_have_text("not there")
    expect(page.locator("#turns")).to_contain_text("Looked for as a session")
    shot(page, "session-missing")
    page = visit(f"{DEMO}/session")
    expect(page.locator("#about")).to_contain_text("No session is named")
    page.fill("#search-id", "nobody")
    page.press("#search-id", "Enter")
    expect(page.locator("#detail")).to_contain_text("Nothing has this id")


def test_without_its_database_the_session_is_from_memory(visit, shot):
    turn = speak(APART, "s-remembered", WORDS["career"])
    page = visit(f"{APART}/session?id={turn}")
    expect(page.locator("details[open] .picture")).to_be_visible()
    expect(page.locator("#about")).to_contain_text("The store has no sums of it")
    shot(page, "session-database-down")
    page = visit(f"{APART}/session?id=s-unknown")
    expect(page.locator("#about")).to_contain_text("cannot be asked right now")
    expect(page.locator("#status")).to_have_text("asked again in a moment")


def test_until_it_is_told_the_page_says_that_it_loads(visit, turns):
    held = []

    def arranged(page):
        page.route("**/v1/sessions/s-career?*", lambda route: held.append(route))

    page = visit(f"{DEMO}/session?id=s-career", arranged)
    until("the question", lambda: page.title() and held)
    expect(page.locator("#status")).to_have_text("loading")
    expect(page.locator("#turns")).to_contain_text("Loading")
    held[0].continue_()
    expect(page.locator("summary")).to_be_visible()
    expect(page.get_by_text("Loading")).to_have_count(0)
