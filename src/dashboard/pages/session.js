// A session's page: the whole conversation, who answered in it, what it cost. Opened by an admin it can be
// shared; opened by a link it shows what the link allows.

import { Refused, get, query, send, watch } from "./api.js";
import { words } from "./book.js";
import { byId, copyButton, el, empty, onSubmit, show, table, trouble } from "./dom.js";
import { count, csv, download, ms, stamp, usd } from "./format.js";
import { attempts, facts, parts, playground, said, sayAgain, sessionPage } from "./turn.js";
import { picture, scale } from "./waterfall.js";

/** Turns a page of the server's has. */
const PAGE = 1000;
/** How long a link lasts. */
const LASTS = { "an hour": 3600, "a day": 86_400, "a week": 604_800 };
/** Sums come with the store, a moment after their turn; and when it is asked again where nobody answers. */
const SUMS = 1500;
const AGAIN = 5000;

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

const named = new URLSearchParams(location.search);
let way = location.pathname === "/shared" ? byLink(location.hash.slice(1)) : byName(named.get("id") ?? "");
/** The turn that the address names. */
let wanted = named.get("turn");
/** Turns by their id; what each is shown by. */
const turns = new Map();
const entries = new Map();
const list = el("ol", { class: "talk-turns" });
let older = null;

function status(text, kind = "") {
  byId("status").textContent = text;
  byId("status").className = `pill ${kind}`;
}

const ordered = () => [...turns.values()].sort((a, b) => (a.turn_id < b.turn_id ? -1 : 1));

/** How many turns have each value of a field. */
function counted(field) {
  const sums = new Map();
  for (const turn of turns.values()) sums.set(turn[field], (sums.get(turn[field]) ?? 0) + 1);
  const most = [...sums].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  return most.map(([name, n]) => `${count(n)} ${words(name)}`).join(", ");
}

function about(session) {
  const totals = session.totals;
  // Of some of the turns it would be said of all.
  const whole = !older;
  const known = [
    ["Session", session.session_id, true],
    ["First turn", session.first_turn_at && stamp(session.first_turn_at)],
    ["Last turn", session.last_turn_at && stamp(session.last_turn_at)],
    ["User", session.user_hash, true],
    ["Turns", whole ? `${count(turns.size)}: ${counted("outcome")}` : totals && `${count(totals.turns)}, ${count(totals.failed_turns)} of them failed`],
    ["Memory", whole && counted("memory_outcome")],
    ["Cost", totals && `${usd(totals.cost_usd)}${totals.unknown_costs ? `, without ${count(totals.unknown_costs)} turns whose cost nobody told` : ""}`],
    ["Tokens", totals && `${count(totals.prompt_tokens)} in, ${count(totals.completion_tokens)} out`],
    ["Time in turns", totals && ms(totals.total_ms)],
    ...(session.chats ?? []).map((chat) => [`Chat at ${chat.platform}`, `${chat.chat_id}${chat.end_reason ? `, ended: ${chat.end_reason}` : ""}`, true]),
  ].filter(([, value]) => value);
  const pair = ([name, value, mono]) => el("div", {}, el("dt", { text: name }), el("dd", { class: mono ? "mono" : "", text: String(value) }));
  return [
    el("dl", { class: "facts" }, known.map(pair)),
    !totals && el("p", { class: "note", text: "The store has no sums of it: these are the turns in this machine's memory." }),
    session.coaches?.length > 0 && coaches(session.coaches),
  ];
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

function actions(session) {
  const lasts = el("select", { "aria-label": "How long the link lasts" }, Object.keys(LASTS).map((name) => el("option", { text: name })));
  const made = el("div", { class: "share", role: "status" });
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
      el("a", { class: "button", href: playground(session.turns[0]), text: "Open in the playground" }),
      copyButton("Copy the session's id", session.session_id),
      el("span", { class: "share" }, el("span", { text: "Show it to somebody for" }), lasts, share),
    ),
    made,
  ];
}

/** The address names what is open, so that it can be sent to a colleague. */
function address(turn) {
  if (!way.shared) history.replaceState(null, "", sessionPage(way.id, turn));
}

function entry(turn) {
  const shown = el("span", { class: "turn" });
  const inside = el("div", { class: "inside" });
  const details = el("details", { data: { turn: turn.turn_id } }, el("summary", {}, shown), inside);
  details.firstChild.addEventListener("click", () => address(details.open ? null : turn.turn_id));
  details.addEventListener("toggle", () => details.open && inside.childElementCount === 0 && detail(turn, inside));
  return { node: el("li", {}, details), details, shown };
}

/** A turn's calls come when somebody looks. */
async function detail(turn, place) {
  show(place, empty("Looking…"));
  try {
    const whole = await way.turn(turn.turn_id);
    const kept = whole.words && el("p", {}, sayAgain(whole, whole.words.user));
    show(place, picture(whole), !way.shared && said(whole.words), facts(whole), whole.attempts?.length > 0 && attempts(whole.attempts), kept);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    show(place, trouble(error));
  }
}

/** What is there already stays where it is: somebody may be reading in it. */
function draw() {
  const all = ordered();
  const most = scale(all);
  all.forEach((turn, at) => {
    if (!entries.has(turn.turn_id)) entries.set(turn.turn_id, entry(turn));
    const { node, shown } = entries.get(turn.turn_id);
    show(shown, parts(turn, most));
    if (list.children[at] !== node) list.insertBefore(node, list.children[at] ?? null);
  });
  byId("older").hidden = !older;
  if (!list.isConnected) show(byId("turns"), list);
}

function take(session) {
  for (const turn of session.turns) turns.set(turn.turn_id, turn);
  older = session.next_cursor;
}

async function before() {
  take(await way.session(older));
  draw();
}

/** Opens the turn that the address names, among the older ones too. */
async function reveal() {
  while (wanted && !turns.has(wanted) && older) await before();
  const { details } = entries.get(wanted) ?? {};
  if (!details) return;
  details.open = true;
  details.scrollIntoView({ block: "center" });
  details.firstChild.focus({ preventScroll: true });
}

/** The session of this name, or the one of whose turns or calls it is the name. */
async function found() {
  try {
    return await way.session();
  } catch (error) {
    if (!(error instanceof Refused) || way.shared || error.status === 401) throw error;
    const turn = await way.turn(way.id).catch(() => null);
    if (!turn) throw error;
    way = byName(turn.session_id);
    wanted = turn.turn_id;
    address(wanted);
    return way.session();
  }
}

async function asked(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const away = error.status === 0 || error.status >= 500;
    status(away ? "asked again in a moment" : error.status === 404 ? "not there" : "trouble", "bad");
    if (turns.size > 0) return;
    show(byId("about"), trouble(error));
    show(byId("turns"), empty("No turns to show", error.status === 404 && "Looked for as a session, a call of a voice platform, a turn, a trace and a generation."));
    if (away) setTimeout(() => asked(start), AGAIN);
  }
}

async function start() {
  if (way.id === "") {
    status("nothing asked");
    show(byId("about"), empty("No session is named", "Find one above, by any id."));
    show(byId("turns"), empty("No turns to show"));
    return;
  }
  const session = await found();
  take(session);
  draw();
  show(byId("about"), about(session));
  if (!way.shared) show(byId("actions"), actions(session));
  byId("open-all").hidden = byId("save-turns").hidden = false;
  status(session.source === "recent" ? "from memory" : way.shared ? "shared" : "recorded", session.source === "recent" ? "warn" : "good");
  if (way.shared) {
    byId("shared").hidden = false;
    byId("shared").textContent = `Shown by a link that holds until ${stamp(session.expires_at)}. It tells no words and no names.`;
  } else {
    follow(session.session_id);
  }
  // Its turns have just ended, or the store is away.
  if (!session.totals) setTimeout(summed, SUMS);
  await reveal();
}

/** Shows the sums as they are by now. */
async function summed() {
  const session = await way.session().catch(() => null);
  if (session) show(byId("about"), about(session));
}

/** New turns appear as they end. */
function follow(id) {
  let due = null;
  watch(`/v1/sessions/${encodeURIComponent(id)}/events`, {
    turn: (turn) => {
      turns.set(turn.turn_id, turn);
      draw();
      due ??= setTimeout(() => {
        due = null;
        summed();
      }, SUMS);
    },
    state: (linked) => status(linked ? "live" : "connecting", linked ? "good" : "warn"),
  });
}

byId("older").addEventListener("click", () => asked(before));
byId("open-all").addEventListener("click", () => {
  for (const { details } of entries.values()) details.open = true;
});
byId("save-turns").addEventListener("click", () => {
  const all = ordered();
  const columns = [...new Set(all.flatMap((turn) => Object.keys(turn)))].filter((name) => name !== "attempts");
  download("clm-session.csv", csv(columns, all.map((turn) => columns.map((name) => turn[name]))));
});
onSubmit(byId("search"), () => {
  const id = byId("search-id").value.trim();
  if (id) location.assign(`/dashboard#search/${encodeURIComponent(id)}`);
});
document.addEventListener("clm:login", () => (byId("login-over").hidden = way.shared === true));
// Another link in the same place is another session.
addEventListener("hashchange", () => way.shared && location.reload());
if (way.shared) {
  byId("pages").hidden = byId("search").hidden = true;
  byId("title").textContent = "A session, shared";
}
asked(start);
