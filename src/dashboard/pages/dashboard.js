// The dashboard: what is chosen, when what is asked for, and the figures at a glance.

import { Refused, get, logOut, query, watch } from "./api.js";
import { Book, CANCELLED, FAILED, hedgeWon } from "./book.js";
import { byId, el, onSubmit, show } from "./dom.js";
import { ascending, clock, count, csv, download, ms, percent, quantile, usd } from "./format.js";
import { GROUPS, Graphs, RANGES } from "./graphs.js";
import { budget, dependencies, flags, startFlags, upstream } from "./house.js";
import { report, saveHere } from "./reports.js";
import { drawList, go, route, saveTurns, startDialog } from "./turns.js";

/** How often each is asked for, in milliseconds. */
const EVERY = { now: 2000, house: 5000, reports: 20_000 };
/** Drawing takes milliseconds; a burst of turns is drawn once. */
const REDRAW = 400;
const REPORTS = ["models", "coaches", "savings", "spend", "experiments"];

const AWAY = {
  recent: "The store does not answer. Shown are the last turns in this machine's memory; nothing is lost, rows wait in the spool.",
  page: "The service does not answer. Shown is what this page has seen; it asks again by itself.",
};

const book = new Book();
const graphs = new Graphs();
const asked = new URLSearchParams(location.search);
const state = {
  range: RANGES[asked.get("range")] ? asked.get("range") : "1h",
  group: asked.get("group") in GROUPS ? asked.get("group") : "none",
  paused: false,
  /** When a paused page stopped. */
  at: null,
  fresh: 0,
  missed: 0,
  linked: false,
  /** Where the turns shown are from: `store`, `recent` (this machine's memory), `page` (nobody answers). */
  source: "store",
  whole: true,
  /** Whether anybody has told of the range's turns yet. */
  told: false,
  health: [],
  /** Models that are left alone just now. */
  resting: [],
};
let now = null;
let money = null;
let saved = null;
let fetching = new AbortController();
let due = null;

const moment = () => state.at ?? Date.now();
const shown = () => book.since(moment() - RANGES[state.range][0]).filter((turn) => turn.at <= moment());

function draw() {
  due = null;
  const turns = shown();
  // Nothing known is not nothing: until the first answer the page says that it is loading.
  if (!state.told && turns.length === 0) return told(turns);
  graphs.draw(turns, state.range, state.group, moment());
  drawList(byId("live").querySelector(".body"), turns);
  state.health = upstream(turns, state.resting);
  tiles(turns);
  told(turns);
}

const redraw = () => (due ??= setTimeout(draw, REDRAW));

function tiles(turns) {
  const spoke = ascending(turns.map((turn) => turn.first_speakable_ms));
  const own = ascending(turns.map((turn) => turn.overhead_ms));
  const hedged = turns.filter((turn) => turn.hedged);
  const failed = turns.filter((turn) => FAILED.has(turn.outcome)).length;
  const cancelled = turns.filter((turn) => CANCELLED.has(turn.outcome)).length;
  const at = (list, share) => ms(quantile(list, share));
  const level = (bad, warn) => (bad ? "bad" : warn ? "warn" : "");
  const share = turns.length ? failed / turns.length : 0;
  const all = [
    ["Turns", count(turns.length), `${count(now?.open_turns ?? 0)} open now`],
    ["First word", at(spoke, 0.5), `p95\u00a0${at(spoke, 0.95)} · p99\u00a0${at(spoke, 0.99)}`, level(false, quantile(spoke, 0.99) > 1500)],
    ["Own overhead", at(own, 0.5), `p99 ${at(own, 0.99)}`],
    ["Failed", turns.length ? percent(share) : "–", `${count(failed)} of ${count(turns.length)}`, level(share >= 0.02, failed > 0)],
    ["Hedges won", hedged.length ? `${hedged.filter(hedgeWon).length} of ${hedged.length}` : "0", turns.length ? `${percent(hedged.length / turns.length)} of turns raced` : "no turns"],
    ["Cancels", count(cancelled), turns.length ? `${percent(cancelled / turns.length)} of turns` : "no turns"],
    ["Spent today", money ? usd(money.spent_usd) : "–", money ? `${money.percent} % of ${usd(money.budget_usd)}` : "", level(money?.percent >= 100, money?.percent >= 80)],
    ["Saved", saved ? usd(saved.saved_usd) : "–", saved?.saved_percent ? `${saved.saved_percent} % below ${saved.baseline_model.split("/").pop()}` : "against the baseline"],
  ];
  const tile = ([name, value, note, kind]) =>
    el("li", { class: `tile ${kind ?? ""}` }, el("span", { class: "name", text: name }), el("b", { text: value }), el("span", { class: "note", text: note }));
  show(byId("tiles"), all.map(tile));
}

/** What is shown and what is not, in words. */
function told(turns) {
  const parts = [];
  if (state.paused) parts.push(`Paused at ${clock(state.at)} UTC, ${count(state.fresh)} new since`);
  else parts.push(state.linked ? `Live, ${clock(Date.now())} UTC` : "Connecting");
  if (!state.whole && turns.length > 0) parts.push(`from the newest ${count(turns.length)} turns, since ${clock(turns[0].at)} UTC`);
  if (state.missed > 0) parts.push(`${count(state.missed)} turns came too fast to be shown`);
  byId("as-of").textContent = parts.join(" · ");
  const away = byId("away");
  away.hidden = state.source === "store";
  away.textContent = AWAY[state.source] ?? "";
}

/** What the range's turns and reports say. */
async function fetchRange() {
  fetching.abort();
  fetching = new AbortController();
  const { signal } = fetching;
  const { range } = state;
  reports(signal, range);
  try {
    const { whole, source } = await book.fetch(range, signal);
    Object.assign(state, { whole, source, told: true });
    // Now there are turns to add up where the store could not.
    if (source === "recent") reports(signal, range);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Refused)) throw error;
    const source = { 0: "page", 401: state.source }[error.status] ?? "recent";
    Object.assign(state, { source, told: true });
  }
  redraw();
}

async function reports(signal = fetching.signal, range = state.range) {
  for (const name of REPORTS) {
    const told = await report(name, range, shown, signal);
    if (!told || signal.aborted) continue;
    if (name === "spend") graphs.takeSpend(told);
    if (name === "savings") saved = told.totals;
  }
  redraw();
}

async function house() {
  const [ready] = await Promise.all([dependencies(now), budget().then((told) => (money = told ?? money))]);
  const store = ready?.dependencies?.store?.status;
  const source = !ready ? "page" : store && store !== "ok" ? "recent" : "store";
  state.resting = ready?.dependencies?.upstream?.resting ?? state.resting;
  if (state.source !== source) {
    // It came back, or went: what is shown is asked for again.
    state.source = source;
    if (ready) fetchRange();
  }
  redraw();
}

async function live() {
  now = await get("/v1/live").catch(() => now);
}

/** Asks at its pace while the page is seen and not paused. */
function keep(every, ask) {
  let busy = false;
  setInterval(async () => {
    if (busy || state.paused || document.hidden) return;
    busy = true;
    await ask().finally(() => (busy = false));
  }, every);
}

function follow() {
  watch("/v1/turns/live?replay=1000", {
    turn: (turn) => {
      if (!book.take(turn)) return;
      if (state.paused) state.fresh += 1;
      redraw();
    },
    flag: () => flags(),
    missed: (turns) => {
      state.missed += turns;
      redraw();
    },
    state: (linked) => {
      state.linked = linked;
      redraw();
    },
  });
}

function controls() {
  const choose = (range) => {
    Object.assign(state, { range, told: false });
    address();
    fetchRange();
    draw();
  };
  for (const range of Object.keys(RANGES)) {
    const input = el("input", { type: "radio", name: "range", value: range, checked: range === state.range });
    input.addEventListener("change", () => choose(range));
    byId("range").append(el("label", {}, input, el("span", { text: range })));
  }
  const group = byId("group");
  group.append(...Object.keys(GROUPS).map((name) => el("option", { value: name, text: name, selected: name === state.group })));
  group.addEventListener("change", () => {
    state.group = group.value;
    address();
    draw();
  });
  byId("pause").addEventListener("click", pause);
  onSubmit(byId("search"), () => {
    const id = byId("search-id").value.trim();
    if (id) go("search", id);
  });
  byId("save-turns").addEventListener("click", () => saveTurns(shown()));
  byId("save-upstream").addEventListener("click", () => {
    const columns = ["model", "now", "calls", "errors", "cancelled", "p50", "p95", "kinds"];
    download("clm-upstream.csv", csv(columns, state.health.map((row) => columns.map((name) => row[name]))));
  });
  for (const link of document.querySelectorAll("[data-report]")) {
    link.addEventListener("click", (event) => saveHere(link.dataset.report) && event.preventDefault());
  }
  byId("save-budget").addEventListener("click", () => money && download("clm-budget.csv", csv(Object.keys(money), [Object.values(money)])));
  byId("log-out").addEventListener("click", logOut);
  document.addEventListener("clm:login", () => (byId("login-over").hidden = false));
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea, dialog");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    byId("search-id").focus();
  });
}

function pause() {
  state.paused = !state.paused;
  state.at = state.paused ? Date.now() : null;
  state.fresh = 0;
  byId("pause").setAttribute("aria-pressed", String(state.paused));
  byId("pause").textContent = state.paused ? "Go live" : "Pause";
  if (!state.paused) fetchRange();
  draw();
}

/** The address tells what is shown, for a colleague; the reports' links do too. */
function address() {
  const chosen = query({ range: state.range, group: state.group === "none" ? "" : state.group });
  history.replaceState(null, "", location.pathname + chosen + location.hash);
  links();
}

function links() {
  for (const link of document.querySelectorAll("[data-report]")) {
    link.href = `/v1/analytics/${link.dataset.report}?range=${state.range}&format=csv`;
  }
}

controls();
links();
startDialog();
startFlags();
draw();
follow();
fetchRange();
live().then(house);
flags();
keep(EVERY.now, live);
keep(EVERY.house, house);
keep(EVERY.reports, reports);
// Time goes on without turns too.
keep(EVERY.house, async () => redraw());
get("/version").then((v) => (byId("version").textContent = `${v.name} ${v.version}`), () => {});
// The page opens to nobody without a login: then there is something to log out of.
fetch(location.pathname, { method: "HEAD", credentials: "omit" }).then((response) => (byId("log-out").hidden = response.ok), () => {});
addEventListener("hashchange", () => route(book));
route(book);
