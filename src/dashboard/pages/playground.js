// The playground: a voice platform in a page. It speaks the real wire, says the answer aloud, and hangs up
// when the user breaks in.

import { get, send } from "./api.js";
import { byId, copyButton, el, empty, onSubmit, show } from "./dom.js";
import { count, ms, usd } from "./format.js";
import { BEFORE, FAULTS, SCENES, SOUNDS, WORDS } from "./scenes.js";
import { Timeline, Voice, canHear, canSpeak, listen } from "./voice.js";
import { sessionPage } from "./turn.js";
import { asCurl, asPython, body, speak } from "./wire.js";
import { picture } from "./waterfall.js";

const asked = new URLSearchParams(location.search);
/** How long a turn's record is waited for after its last word. */
const RECORD = { every: 150, most: 40 };

/** Where a session's page leaves words to be said again. */
const AGAIN = "clm-say";

let talk = [];
let session = null;
let turn = null;
let hearing = null;
const sounds = {};
const chosen = () => ({ coach: byId("coach").value, tier: byId("tier").value, user_id: byId("user").value.trim() || "demo" });

function state(text, kind = "") {
  byId("state").textContent = text;
  byId("state").className = `pill ${kind}`;
}

/** A signed session id for what is chosen; a new one when the choice changed. */
async function sessionId() {
  const wanted = JSON.stringify(chosen());
  if (session?.wanted === wanted) return session.id;
  const { coach, tier, user_id } = chosen();
  const minted = await send("POST", "/v1/sessions", coach ? { user_id, tier, coach } : { user_id, tier });
  session = { wanted, id: minted.session_id };
  return session.id;
}

function line(kind, by, text) {
  const said = el("span", { text });
  const node = el("div", { class: `line ${kind}` }, by && el("span", { class: "by", text: by }), said);
  byId("log").querySelector(".empty")?.remove();
  byId("log").append(node);
  node.scrollIntoView({ block: "nearest" });
  return { node, said };
}

/** Says words to the coach. Ends when the answer has come, whole or cut off; tells its longest silence. */
async function say(words, { fault = byId("fault").value, before = talk } = {}) {
  breakIn();
  line("user", null, words);
  const messages = [...before, { role: "user", content: words }];
  const running = { hangUp: new AbortController(), text: "", began: performance.now(), sound: new Timeline(), tokens: 0, events: [] };
  turn = running;
  running.voice = new Voice(byId("aloud").checked, () => turn === running && quiet());
  byId("stop").disabled = false;
  state("waiting for the first word", "warn");
  try {
    running.session = await sessionId();
    running.sent = body(messages, sounds);
    running.began = performance.now();
    await speak({ session: running.session, sent: running.sent, fault, signal: running.hangUp.signal }, hears(running));
    if (!running.cut) {
      talk = [...messages, { role: "assistant", content: running.text }];
      running.voice.end();
    }
  } catch (error) {
    if (error.name !== "AbortError") {
      const what = error.status === 0 ? "say it again in a moment" : error.hint;
      line("trouble", null, what ? `${error.message}: ${what}` : error.message);
      running.voice.stop();
      quiet();
    }
  }
  if (running.cut) talk = [...messages, ...(running.heard ? [{ role: "assistant", content: running.heard }] : [])];
  await told(running, fault);
  return running;
}

function hears(running) {
  return {
    head: (headers) => {
      running.id = headers.get("x-clm-turn-id");
      running.coach = headers.get("x-clm-coach");
      running.model = headers.get("x-clm-model");
    },
    event: (text) => {
      running.events.push(`${(performance.now() - running.began).toFixed(0).padStart(6)} ms  ${text}`);
      byId("events").textContent = running.events.slice(-200).join("\n");
    },
    words: (text) => {
      const at = performance.now() - running.began;
      running.sound.hear(at, text);
      running.first ??= at;
      running.line ??= line("coach", running.coach, "");
      running.tokens += 1;
      running.text += text;
      running.line.said.textContent = running.text;
      byId("log").scrollTop = byId("log").scrollHeight;
      if (running.cut) return;
      running.voice.add(text);
      state("the coach speaks", "good");
      live(running);
    },
    end: (reason) => (running.reason = reason),
  };
}

function quiet() {
  byId("stop").disabled = true;
  state(hearing ? "listening" : "quiet");
}

/** Hangs up, as a platform does when the user speaks: what was heard is all that was said. */
function breakIn() {
  const running = turn;
  if (!running || !running.voice.speaking) return;
  running.cut = true;
  running.heard = running.voice.stop();
  running.hangUp.abort();
  if (running.line) {
    const rest = running.text.slice(running.heard.length);
    show(running.line.said, el("span", { text: running.heard }), el("s", { text: rest, title: "not heard" }));
  }
  if (talk.at(-1)?.content === running.text) talk = [...talk.slice(0, -1), { role: "assistant", content: running.heard }];
  quiet();
}

function summary(running, extra = []) {
  const all = [
    ["Coach", running.coach],
    ["Model", running.model],
    ["First word", ms(running.first)],
    ["Longest silence", ms(running.sound.longest)],
    ["Pieces", count(running.tokens)],
    ...extra,
  ];
  return el("dl", { class: "facts small" }, all.map(([name, value]) => el("div", {}, el("dt", { text: name }), el("dd", { text: value ?? "–" }))));
}

const live = (running) => show(byId("now"), summary(running));

/** The turn's record, which is written after its last word. */
async function told(running, fault) {
  if (!running.id || !running.sent) return;
  const { coach } = chosen();
  show(
    byId("copies"),
    copyButton("Copy as curl", () => asCurl(running.session, running.sent, fault)),
    copyButton("Copy as OpenAI SDK code", () => asPython(running.session, running.sent, coach)),
  );
  for (let tried = 0; tried < RECORD.most; tried += 1) {
    const found = await get(`/v1/turns/${running.id}`).catch(() => null);
    if (found) {
      if (turn !== running && turn?.id) return;
      const extra = [
        ["Why", found.coach_reason],
        ["Served by", found.served_model],
        ["Outcome", found.outcome.replaceAll("_", " ")],
        ["Tokens", `${count(found.prompt_tokens)} in, ${count(found.completion_tokens)} out`],
        ["Cost", `${usd(found.cost_usd)} (${found.cost_source})`],
        ["Memory", found.memory_outcome],
      ];
      const specialists = (found.attempts ?? []).map((a) => a.coach).filter(Boolean);
      if (specialists.length > 0) extra.push(["Council", specialists.join(", ")]);
      const more = el("a", { class: "button", href: sessionPage(found.session_id, running.id), text: "Open the session's page" });
      show(byId("now"), summary(running, extra), picture(found), el("p", {}, more));
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, RECORD.every));
  }
}

/** Plays one ugly turn in a session of its own, and judges its silences. */
async function play(scene, result) {
  breakIn();
  anew();
  result.textContent = "…";
  result.className = "pill";
  if (scene.before) {
    const first = say(scene.before, { fault: "", before: BEFORE });
    while (turn.first === undefined && !turn.hangUp.signal.aborted) await new Promise((resolve) => setTimeout(resolve, 30));
    await Promise.race([first, new Promise((resolve) => setTimeout(resolve, 400))]);
    breakIn();
  }
  const played = await say(scene.words, { fault: scene.faults, before: scene.before ? [...BEFORE, ...talk] : BEFORE });
  const silence = played.sound.longest;
  const passes = silence <= scene.most && played.text !== "";
  result.textContent = `${ms(silence)} of ${ms(scene.most)}`;
  result.className = `pill ${passes ? "good" : "bad"}`;
}

function scenes() {
  const rows = SCENES.map((scene) => {
    const result = el("span", { class: "pill", text: `up to ${ms(scene.most)}` });
    const button = el("button", { class: "button quiet", type: "button", text: "▶ Play", "aria-label": `Play ${scene.name}` });
    button.addEventListener("click", () => play(scene, result));
    return { scene, result, node: el("li", {}, button, el("span", { text: scene.name, title: scene.faults }), result) };
  });
  show(byId("scenes"), rows.map((row) => row.node));
  byId("play-all").addEventListener("click", async (event) => {
    event.target.disabled = true;
    for (const { scene, result } of rows) {
      await play(scene, result);
      while (turn?.voice.speaking && turn.voice.aloud) await new Promise((resolve) => setTimeout(resolve, 100));
    }
    event.target.disabled = false;
  });
}

function anew() {
  talk = [];
  session = null;
  turn = null;
  show(byId("log"), empty("Nobody has spoken yet", `Try “${WORDS}”`));
}

function listenTo() {
  if (hearing) {
    hearing();
    return;
  }
  hearing = listen({
    some: (words) => {
      breakIn();
      byId("say").value = words;
    },
    all: (words) => {
      byId("say").value = "";
      say(words);
    },
    over: (problem) => {
      hearing = null;
      byId("mic").setAttribute("aria-pressed", "false");
      state(problem ? `the microphone: ${problem}` : "quiet", problem ? "bad" : "");
    },
  });
  byId("mic").setAttribute("aria-pressed", "true");
  state("listening");
}

async function start() {
  onSubmit(byId("composer"), () => {
    const words = byId("say").value.trim() || (talk.length === 0 ? WORDS : "");
    byId("say").value = "";
    if (words) say(words);
  });
  byId("say").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    byId("composer").requestSubmit();
  });
  byId("say").addEventListener("input", () => breakIn());
  byId("stop").addEventListener("click", breakIn);
  byId("anew").addEventListener("click", () => {
    breakIn();
    anew();
  });
  byId("mic").addEventListener("click", listenTo);
  byId("mic").hidden = !canHear;
  byId("fault").append(...FAULTS.map(([value, text]) => el("option", { value, text })));
  byId("sounds").append(...SOUNDS.map(slider));
  document.addEventListener("clm:login", () => (byId("login-over").hidden = false));
  const voices = () => (byId("voices").textContent = canSpeak() ? "" : "This browser has no voice: the answer is text, heard at 170 words a minute.");
  globalThis.speechSynthesis?.addEventListener?.("voiceschanged", voices);
  voices();
  scenes();
  anew();
  const models = await get("/models").catch(() => ({ data: [] }));
  const coaches = models.data.map((model) => model.id).filter((id) => id !== "clm");
  const choices = [...coaches.map((id) => [id, id]), ["council", "council: several coaches"]];
  byId("coach").append(...choices.map(([value, text]) => el("option", { value, text, selected: value === asked.get("coach") })));
  if (asked.get("tier")) byId("tier").value = asked.get("tier");
  const again = sessionStorage.getItem(AGAIN);
  if (again) byId("say").value = again;
  sessionStorage.removeItem(AGAIN);
}

function slider(name) {
  const input = el("input", { type: "range", min: "0", max: "1", step: "0.05", value: "0" });
  input.addEventListener("input", () => (sounds[name] = Number(input.value)));
  return el("label", {}, name, input);
}

addEventListener("pagehide", () => turn?.voice.stop());
start();
