// Turns: the live list, one turn in a dialog, and the search that takes any id.

import { Refused, get, query } from "./api.js";
import { byId, copyButton, el, empty, show, table, trouble } from "./dom.js";
import { count, csv, download, ms, percent, stamp, usd } from "./format.js";
import { attempts, facts, parts, pill, playground, said, sayAgain, sessionPage } from "./turn.js";
import { picture, scale } from "./waterfall.js";

const SHOWN = 40;
const dialog = () => byId("detail");
/** The turn whose line opened the dialog: it is given the focus back, even if it was drawn anew. */
let opener = null;

/** The newest turns, each a button that opens it. */
export function drawList(place, turns) {
  const shown = turns.slice(-SHOWN).reverse();
  if (shown.length === 0) {
    const curl = `curl -N ${location.origin}/chat/completions -H 'content-type: application/json' -d '{"messages":[{"role":"user","content":"I was passed over for a promotion."}]}'`;
    show(
      place,
      empty(
        "No turns in this time",
        "Speak one in the playground, or from a shell:",
        el("code", { class: "wrap", text: curl }),
        el("p", {}, el("a", { class: "button", href: "/playground", text: "Open the playground" }), copyButton("Copy the curl", curl)),
      ),
    );
    return;
  }
  const focused = document.activeElement?.closest?.("[data-turn]")?.dataset.turn;
  const most = scale(shown);
  show(place, el("ul", { class: "turns" }, shown.map((turn) => entry(turn, most))));
  // The list is made anew with every turn; whoever stands on a line stays on it.
  if (focused) place.querySelector(`[data-turn="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function entry(turn, most) {
  const open = { click: () => go("turn", turn.turn_id) };
  return el("li", {}, el("button", { type: "button", class: "turn", data: { turn: turn.turn_id }, on: open }, parts(turn, most)));
}

export function saveTurns(turns) {
  const columns = [...new Set(turns.flatMap((turn) => Object.keys(turn)))].filter((name) => name !== "attempts" && name !== "at");
  download("clm-turns.csv", csv(columns, turns.map((turn) => columns.map((name) => turn[name]))));
}

/** The address names what is open, so that it can be sent to a colleague. */
export function go(kind, id) {
  location.hash = `${kind}/${encodeURIComponent(id)}`;
}

/** Opens what the address names. */
export async function route(book) {
  const [kind, id] = location.hash.slice(1).split("/").map(decodeURIComponent);
  if (kind === "turn" && id) await open("Turn", () => turnView(id, book));
  else if (kind === "user" && id) await open("User", () => userView(id));
  else if (kind === "search" && id) await open("Search", () => searchView(id, book));
  else if (dialog().open) dialog().close();
}

export function startDialog() {
  dialog().addEventListener("close", () => {
    if (location.hash) history.replaceState(null, "", location.pathname + location.search);
    if (opener) byId("live").querySelector(`[data-turn="${CSS.escape(opener)}"]`)?.focus();
  });
  byId("detail-close").addEventListener("click", () => dialog().close());
  // A click beside it.
  dialog().addEventListener("click", (event) => event.target === dialog() && dialog().close());
}

async function open(title, view) {
  byId("detail-title").textContent = title;
  show(byId("detail-body"), empty("Looking…"));
  if (!dialog().open) {
    opener = document.activeElement?.dataset?.turn ?? null;
    dialog().showModal();
  }
  const hash = location.hash;
  let found;
  try {
    found = await view();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    found = [trouble(error)];
  }
  if (location.hash === hash) show(byId("detail-body"), found);
}

async function turnView(id, book) {
  let turn;
  try {
    turn = await get(`/v1/turns/${encodeURIComponent(id)}`);
  } catch (error) {
    turn = book.get(id);
    if (!turn) throw error;
  }
  byId("detail-title").textContent = `Turn at ${stamp(turn.created_at)}`;
  return [
    el(
      "div",
      { class: "summary" },
      pill(turn.outcome),
      el("span", {}, el("b", { text: turn.coach }), ` because ${turn.coach_reason}`),
      el("span", { text: `first words after ${ms(turn.first_speakable_ms)}, ${ms(turn.total_ms)} in all` }),
    ),
    picture(turn),
    said(turn.words),
    facts(turn),
    turn.attempts?.length > 0 && attempts(turn.attempts),
    el(
      "div",
      { class: "actions" },
      el("a", { class: "button", href: sessionPage(turn.session_id, turn.turn_id), text: "All turns of this session" }),
      el("a", { class: "button", href: playground(turn), text: "Open in the playground" }),
      turn.words && sayAgain(turn, turn.words.user),
      copyButton("Copy the turn's id", turn.turn_id),
      copyButton("Copy as JSON", JSON.stringify(turn, null, 2)),
    ),
  ];
}

async function userView(id) {
  const list = await get(`/v1/sessions${query({ user: id, limit: 50 })}`);
  const columns = [
    { name: "Session", of: (s) => el("a", { href: sessionPage(s.session_id), text: s.session_id }) },
    { name: "Last turn", of: (s) => stamp(s.last_turn_at) },
    { name: "Turns", number: true, of: (s) => count(s.turns) },
    { name: "Failed", number: true, of: (s) => percent(s.turns ? s.failed_turns / s.turns : 0) },
    { name: "Cost", number: true, of: (s) => usd(s.cost_usd) },
  ];
  return [table("Sessions of this user", columns, list.items)];
}

/** A session's id or a chat's, a turn's, a trace's, a generation's, a user's: whichever it turns out to be. */
async function searchView(id, book) {
  const tries = [
    async () => sessionPage((await get(`/v1/sessions/${encodeURIComponent(id)}?limit=1`)).session_id),
    async () => {
      const turn = await get(`/v1/turns/${encodeURIComponent(id)}`);
      return sessionPage(turn.session_id, turn.turn_id);
    },
    async () => {
      const held = book.find((t) => [t.turn_id, t.trace_id, t.generation_id].includes(id));
      return held && `#turn/${encodeURIComponent(held.turn_id)}`;
    },
    async () => (await get(`/v1/sessions${query({ user: id, limit: 1 })}`)).items.length > 0 && `#user/${encodeURIComponent(id)}`,
  ];
  let away = null;
  for (const attempt of tries) {
    const found = await attempt().catch((error) => {
      if (!(error instanceof Refused) || error.status === 401) throw error;
      // Who cannot be asked has not said that there is none.
      if (error.status === 0 || error.status >= 500) away = error;
      return null;
    });
    if (found) {
      location.replace(found);
      return [empty("Found")];
    }
  }
  if (away) throw away;
  return [empty("Nothing has this id", "Looked for as a session, a call of a voice platform, a turn, a trace, a generation and a user. A turn is there once it has ended.")];
}
