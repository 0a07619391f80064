// A session's page: the whole conversation, who answered in it, what it cost. Opened by an admin it can be
// shared; opened by a link it shows what the link allows.

import { Refused, get, query, send } from "./api.js";
import { byId, copyButton, el, empty, show, table, trouble } from "./dom.js";
import { clock, count, csv, download, ms, stamp, usd } from "./format.js";
import { attempts, facts, pill, said } from "./turn.js";
import { line, picture, scale } from "./waterfall.js";

/** Turns a page of the server's has. */
const PAGE = 100;
/** How long a link lasts. */
const LASTS = { "an hour": 3600, "a day": 86_400, "a week": 604_800 };

/** An admin's way to a session, by any of its names. */
const byName = (id) => ({
  id,
  session: (cursor) => get(`/v1/sessions/${encodeURIComponent(id)}${query({ limit: PAGE, cursor })}`),
  turn: (turn) => get(`/v1/turns/${encodeURIComponent(turn)}`),
});

/** The way of whoever has a link. Its text goes in a header: an address is written down in too many places. */
const byLink = (link) => ({
  shared: true,
  session: (cursor) => get(`/v1/shared${query({ limit: PAGE, cursor })}`, undefined, { "x-clm-share": link }),
  turn: (turn) => get(`/v1/shared/turns/${encodeURIComponent(turn)}`, undefined, { "x-clm-share": link }),
});

const way = location.pathname === "/shared" ? byLink(location.hash.slice(1)) : byName(new URLSearchParams(location.search).get("id") ?? "");
/** Turns by their id, oldest first; those that were opened with their calls. */
const turns = new Map();
let older = null;

function status(text, kind = "") {
  byId("status").textContent = text;
  byId("status").className = `pill ${kind}`;
}

const ordered = () => [...turns.values()].sort((a, b) => (a.turn_id < b.turn_id ? -1 : 1));

function about(session) {
  const totals = session.totals;
  const newest = session.turns[0];
  const known = [
    ["Session", session.session_id, true],
    ["First turn", stamp(session.first_turn_at)],
    ["Last turn", stamp(session.last_turn_at)],
    ["User", session.user_hash, true],
    ["Turns", totals && `${count(totals.turns)}, ${count(totals.failed_turns)} of them failed`],
    ["Cost", totals && `${usd(totals.cost_usd)}${totals.unknown_costs ? `, without ${count(totals.unknown_costs)} turns whose cost nobody told` : ""}`],
    ["Tokens", totals && `${count(totals.prompt_tokens)} in, ${count(totals.completion_tokens)} out`],
    ["Time in turns", totals && ms(totals.total_ms)],
    ...(session.chats ?? []).map((chat) => [`Chat at ${chat.platform}`, `${chat.chat_id}${chat.end_reason ? `, ended: ${chat.end_reason}` : ""}`, true]),
  ].filter(([, value]) => value);
  const pair = ([name, value, mono]) => el("div", {}, el("dt", { text: name }), el("dd", { class: mono ? "mono" : "", text: String(value) }));
  return el(
    "div",
    { class: "about" },
    el("dl", { class: "facts" }, known.map(pair)),
    !totals && el("p", { class: "note", text: "The store does not answer: these are the turns in this machine's memory, and no sums." }),
    session.coaches?.length > 0 && coaches(session.coaches),
    !way.shared && actions(session, newest),
  );
}

/** Who answered, specialists of councils among them. */
function coaches(list) {
  const columns = [
    { name: "Coach", of: (c) => c.coach },
    { name: "Models", of: (c) => c.models.map((m) => m.model).join(", ") },
    { name: "Turns", number: true, of: (c) => count(c.turns) },
    { name: "Tokens out", number: true, of: (c) => count(c.completion_tokens) },
    { name: "Cost", number: true, of: (c) => usd(c.cost_usd) },
  ];
  return el("section", {}, el("h2", { text: "Who answered" }), table("Who answered", columns, list));
}

function actions(session, newest) {
  const lasts = el("select", { "aria-label": "How long the link lasts" }, Object.keys(LASTS).map((name) => el("option", { text: name })));
  const made = el("span", { class: "share", role: "status" });
  const share = el("button", { class: "button", type: "button", text: "Make a link" });
  share.addEventListener("click", async () => {
    share.disabled = true;
    try {
      const link = await send("POST", `/v1/sessions/${encodeURIComponent(session.session_id)}/share`, { ttl_s: LASTS[lasts.value] });
      const address = location.origin + link.path;
      const field = el("input", { type: "text", readonly: true, value: address, "aria-label": "The link" });
      show(made, field, copyButton("Copy the link", address), el("span", { class: "note", text: `Opens this session without a key and without a word of anybody, until ${stamp(link.expires_at)}.` }));
      field.select();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      show(made, trouble(error));
    }
    share.disabled = false;
  });
  return [
    el(
      "div",
      { class: "actions" },
      el("a", { class: "button", href: `/playground${query({ coach: newest?.coach, tier: newest?.tier })}`, text: "Open in the playground" }),
      copyButton("Copy the session's id", session.session_id),
      el("span", { class: "share" }, el("span", { text: "Show it to somebody for" }), lasts, share),
    ),
    made,
  ];
}

function entry(turn, most) {
  const marks = [turn.hedged && "hedged", turn.continued && "continued", turn.lead_in && "lead-in", turn.experiment && `${turn.experiment}/${turn.variant}`].filter(Boolean);
  const inside = el("div", { class: "inside" });
  const details = el(
    "details",
    { data: { turn: turn.turn_id } },
    el(
      "summary",
      {},
      el(
        "span",
        { class: "turn" },
        el("span", { class: "when mono", text: clock(Date.parse(turn.created_at)) }),
        el("span", { class: "who" }, el("b", { text: turn.coach }), el("span", { class: "note", text: turn.coach_reason })),
        line(turn, most),
        el("span", { class: "first", text: ms(turn.first_speakable_ms) }),
        el("span", { class: "model note", text: turn.served_model ?? turn.planned_model }),
        el("span", { class: "marks note", text: marks.join(" · ") }),
        el("span", { class: "cost", text: usd(turn.cost_usd) }),
        el("span", { class: "end" }, pill(turn.outcome)),
      ),
    ),
    inside,
  );
  details.addEventListener("toggle", () => details.open && inside.childElementCount === 0 && detail(turn, inside));
  return el("li", {}, details);
}

/** A turn's calls come when somebody looks. */
async function detail(turn, place) {
  show(place, empty("Looking…"));
  try {
    const whole = await way.turn(turn.turn_id);
    show(place, picture(whole), !way.shared && said(whole.words), facts(whole), whole.attempts?.length > 0 && attempts(whole.attempts));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    show(place, trouble(error));
  }
}

function draw() {
  const list = ordered();
  const opened = new Set([...document.querySelectorAll("details[open][data-turn]")].map((d) => d.dataset.turn));
  const most = scale(list);
  const more = older && el("p", {}, el("button", { class: "button", type: "button", text: "Turns of before", on: { click: before } }));
  show(byId("turns"), more, el("ol", { class: "talk-turns" }, list.map((turn) => entry(turn, most))));
  for (const id of opened) byId("turns").querySelector(`[data-turn="${CSS.escape(id)}"]`).open = true;
}

async function before() {
  await asked(async () => {
    const page = await way.session(older);
    take(page);
    draw();
  });
}

function take(session) {
  for (const turn of session.turns) turns.set(turn.turn_id, turn);
  older = session.next_cursor;
}

async function asked(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    status(error.status === 404 ? "not there" : "trouble", "bad");
    show(byId("about"), trouble(error));
    if (turns.size === 0) show(byId("turns"), empty("No turns to show"));
  }
}

async function start() {
  const session = await way.session();
  take(session);
  show(byId("about"), about(session));
  draw();
  byId("open-all").hidden = byId("save-turns").hidden = false;
  status(session.source === "recent" ? "from memory" : way.shared ? "shared" : "recorded", session.source === "recent" ? "warn" : "good");
  if (way.shared) {
    byId("shared").hidden = false;
    byId("shared").textContent = `Shown by a link that holds until ${stamp(session.expires_at)}. It tells no words and no names.`;
  } else {
    follow(session.session_id);
  }
}

/** New turns appear as they end. */
function follow(id) {
  const source = new EventSource(`/v1/sessions/${encodeURIComponent(id)}/events`);
  let due = null;
  source.addEventListener("turn", (event) => {
    const turn = JSON.parse(event.data);
    turns.set(turn.turn_id, turn);
    draw();
    // Its sums come with the store, a moment later.
    due ??= setTimeout(async () => {
      due = null;
      const session = await way.session().catch(() => null);
      if (session) show(byId("about"), about(session));
    }, 1500);
  });
}

byId("open-all").addEventListener("click", () => {
  for (const details of document.querySelectorAll("details[data-turn]")) details.open = true;
});
byId("save-turns").addEventListener("click", () => {
  const list = ordered();
  const columns = [...new Set(list.flatMap((turn) => Object.keys(turn)))];
  download("clm-session.csv", csv(columns, list.map((turn) => columns.map((name) => turn[name]))));
});
document.addEventListener("clm:login", () => (byId("login-over").hidden = way.shared === true));
if (way.shared) {
  byId("pages").hidden = true;
  byId("title").textContent = "A session, shared";
}
asked(start);
