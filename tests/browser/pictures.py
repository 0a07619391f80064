"""The README's pictures: the demo's dashboard after a quarter of an hour of turns, and a session's page.

`tests/browser/run --pictures` runs it; what it shows is what the demo did, with the simulator's models and times.
"""

import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from conftest import ARGUMENTS, CHROMIUM, DEMO, PATIENCE, WORDS, hume_tells, mint, recorded, speak

expect.set_options(timeout=PATIENCE)
SECONDS = 15 * 60
SPEAKERS = 5
MOST = 150_000
SIZE = {"width": 1360, "height": 1130}
# What people say, and now and then what the model asked first does.
SAID = [*WORDS.values(), "My team does not listen to me.", "I want to meet more people in my field."]
FAULTS = [("slow-first:2500,ok", 0.07), ("cut:9,ok", 0.05), ("500,ok", 0.03), ("500,503,529,401", 0.01)]


def fault(chance):
    return next((fault for fault, share in FAULTS if chance.random() < share), None)


def talks(seed, until):
    """One speaker after the other, each with a few turns and pauses in between."""
    chance = random.Random(seed)
    call = 0
    while time.monotonic() < until:
        call += 1
        session = f"s-{seed}-{call}"
        for _ in range(chance.randint(2, 6)):
            hangs_up = chance.random() < 0.1
            speak(DEMO, session, chance.choice(SAID), fault=fault(chance), read=1500 if hangs_up else None)
            time.sleep(chance.uniform(0.5, 5))
        hume_tells("chat_ended", f"chat-{seed}-{call}", session)


def conversation():
    """One call with most of what can happen in it; its council's turn."""
    session = mint(DEMO, user_id="demo", tier="premium")
    speak(DEMO, session, "Hello, I have a difficult week.", before=[])
    speak(DEMO, session, WORDS["career"])
    speak(DEMO, session, WORDS["skills"], fault="slow-first:2500,ok")
    council = speak(DEMO, session, "What would your whole team say?")
    speak(DEMO, session, "Go on.", read=2500)
    last = speak(DEMO, session, "And my salary?", fault="cut:9,ok")
    recorded(DEMO, last)
    return council


def keep(page, path):
    page.screenshot(path=str(path))
    if shutil.which("pngquant"):
        subprocess.run(["pngquant", "--force", "--skip-if-larger", "--ext", ".png", "128", str(path)], check=True)
    size = path.stat().st_size
    print(f"{path}: {size} bytes")
    assert size <= MOST, f"{path} is larger than {MOST} bytes"


def main(place):
    until = time.monotonic() + SECONDS
    speakers = [threading.Thread(target=talks, args=(seed, until)) for seed in range(SPEAKERS)]
    for speaker in speakers:
        speaker.start()
    for speaker in speakers:
        speaker.join()
    council = conversation()
    place.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(f"{DEMO}/dashboard?range=15m")
        for panel in ["turns-by-outcome", "first-speakable", "own-overhead"]:
            expect(page.locator(f"#{panel} canvas")).to_be_visible()
        expect(page.locator(".tile").last).to_contain_text("below")
        keep(page, place / "dashboard.png")
        page = browser.new_page(viewport=SIZE, color_scheme="dark")
        page.goto(f"{DEMO}/session?id={council}")
        expect(page.locator("details[open] .picture")).to_be_visible()
        expect(page.locator("#about tbody tr").first).to_be_visible()
        page.evaluate("document.activeElement.blur()")
        keep(page, place / "session.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
