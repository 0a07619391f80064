// The house: what it depends on, the day's money, upstream's health, and its switches.

import { Refused, get, send } from "./api.js";
import { mark } from "./charts.js";
import { byId, el, empty, onSubmit, show, table, trouble } from "./dom.js";
import { age, ascending, bytes, clock, count, ms, percent, quantile, stamp, usd } from "./format.js";

const GOOD = new Set(["ok", "ready", "on demand"]);
const kind = (status) => (GOOD.has(status) ? "good" : status === "off" ? "" : status === "degraded" ? "warn" : "bad");
const pill = (status) => el("span", { class: `pill ${kind(status)}`, text: status });

/** Readiness as rows; returns it. */
export async function dependencies(live) {
  const place = byId("dependencies").querySelector(".body");
  let ready;
  try {
    ready = await get("/readyz");
  } catch (error) {
    byId("status").className = "pill bad";
    byId("status").textContent = "no answer";
    show(place, trouble(error));
    return null;
  }
  byId("status").className = `pill ${kind(ready.status)}`;
  byId("status").textContent = ready.status;
  const d = ready.dependencies ?? {};
  const waits = (n, what, s) => (n ? `${count(n)} ${what} waiting, the oldest ${age(s)}` : "nothing waits");
  const rows = [
    ["Store", d.store?.status, [d.store?.kind, d.store?.refused].filter(Boolean).join(", ")],
    ["Spool", d.spool?.status, `${waits(d.spool?.rows, "rows", d.spool?.age_s)}, ${bytes(d.spool?.bytes)}${d.spool?.quarantined ? `, ${count(d.spool.quarantined)} set aside` : ""}`],
    ["Memory", d.memory?.status, d.memory?.status === "off" ? "no ZEP_API_KEY" : [d.memory?.kind, waits(d.memory?.writes_waiting, "writes", d.memory?.age_s)].filter(Boolean).join(", ")],
    ["Redis", d.redis?.status, live?.reason ?? (live ? `${count(live.machines)} machines` : "")],
    ["Upstream", d.upstream?.status, d.upstream?.resting?.length ? `${count(d.upstream.resting.length)} models left alone just now` : "asked when a turn needs it"],
    ["This machine", ready.memory_is_short ? "degraded" : "ok", `${count(ready.inflight)} turns open${ready.memory_is_short ? ", memory is short" : ""}`],
  ];
  const item = ([name, status, note]) => el("li", {}, el("b", { text: name }), pill(status ?? "unknown"), el("span", { class: "note", text: note ?? "" }));
  show(place, el("ul", { class: "deps" }, rows.map(item)));
  return ready;
}

/** The day's money on a bar that reaches to the hard cap. */
export async function budget() {
  const place = byId("budget").querySelector(".body");
  let b;
  try {
    b = await get("/v1/budget");
  } catch (error) {
    show(place, trouble(error));
    return null;
  }
  const [spent, daily, cap] = [b.spent_usd, b.budget_usd, b.hard_cap_usd].map(Number);
  const end = Math.max(cap, daily, spent) || 1;
  const at = (n) => `${(100 * n) / end}%`;
  const level = spent >= daily ? "bad" : spent >= daily * 0.8 || b.is_low ? "warn" : "good";
  const marks = [[0.5, "50 %"], [0.8, "80 %"], [1, "100 %"]].map(([share, text]) => [daily * share, text]);
  marks.push([cap, "cap"]);
  const told = `${usd(b.spent_usd)} of ${usd(b.budget_usd)} spent, ${b.percent} percent; hard cap ${usd(b.hard_cap_usd)}`;
  const facts = [
    ["Left", usd(b.left_usd)],
    ["Reserved by open turns", usd(b.reserved_usd)],
    ["Hard cap", usd(b.hard_cap_usd)],
    ["Per user a day", b.user_daily_cap_usd ? usd(b.user_daily_cap_usd) : "no limit"],
    ["Per session", b.session_cap_usd ? usd(b.session_cap_usd) : "no limit"],
    ["Begins anew", stamp(b.resets_at)],
    ["Shared", b.sharing],
  ];
  show(
    place,
    el("p", { class: "lead" }, el("b", { text: usd(b.spent_usd) }), ` of ${usd(b.budget_usd)} today, ${b.percent} %`),
    el(
      "div",
      { class: "meter", role: "img", "aria-label": told },
      el("i", { class: level, style: { width: at(spent) } }),
      marks.map(([n, text]) => el("span", { class: text === "cap" ? "cap" : "", style: { left: at(n) } }, el("em", { text }))),
    ),
    el("dl", { class: "facts small" }, facts.map(([name, value]) => el("div", {}, el("dt", { text: name }), el("dd", { text: value })))),
    b.is_low && el("p", { class: "banner", text: "Little is left: all coaches use their cheapest model until the day ends." }),
    b.store_is_away && el("p", { class: "banner", text: "The store is away: this machine spends only what it had at hand." }),
  );
  return b;
}

/** Why a model is not asked as usual. */
const RESTS = { open: "left alone: it failed too often", half_open: "tried with one call", cooling: "left alone: it asked for that, or is gone" };

/** How models answered, from the calls of the turns at hand, and which are left alone just now. */
export function upstream(turns, resting) {
  const place = byId("upstream").querySelector(".body");
  const models = new Map(resting.map(({ model }) => [model, []]));
  for (const turn of turns) {
    for (const attempt of turn.attempts ?? []) {
      if (!models.has(attempt.model)) models.set(attempt.model, []);
      models.get(attempt.model).push({ ...attempt, at: turn.at });
    }
  }
  if (models.size === 0) {
    show(place, empty("No calls seen yet", "Calls are known of turns that ended while they could be watched."));
    return [];
  }
  const now = new Map(resting.map(({ model, state }) => [model, state]));
  const rows = [...models].map(([model, calls]) => ({ ...health(model, calls), now: now.get(model) ?? "asked" }));
  rows.sort((a, b) => b.calls - a.calls);
  const columns = [
    { name: "Model", of: (r) => r.model },
    { name: "Now", of: (r) => (RESTS[r.now] ? el("span", { class: "pill warn", text: RESTS[r.now] }) : r.now) },
    { name: "Last calls", of: (r) => (r.calls ? strip(r.last) : "–") },
    { name: "Calls", number: true, of: (r) => count(r.calls) },
    { name: "Errors", number: true, of: (r) => (r.calls ? percent(r.errors / r.calls) : "–") },
    { name: "Cancelled", number: true, of: (r) => count(r.cancelled) },
    { name: "First token p50", number: true, of: (r) => ms(r.p50) },
    { name: "p95", number: true, of: (r) => ms(r.p95) },
    { name: "Kinds of error", of: (r) => r.kinds || "none" },
  ];
  show(place, table("Upstream health", columns, rows));
  return rows;
}

function health(model, calls) {
  const waited = ascending(calls.filter((c) => c.first_token_ms !== null && c.first_token_ms !== undefined).map((c) => c.first_token_ms - c.started_ms));
  const failed = calls.filter((c) => c.error_kind);
  const kinds = new Map();
  for (const call of failed) kinds.set(call.error_kind, (kinds.get(call.error_kind) ?? 0) + 1);
  return {
    model,
    calls: calls.length,
    errors: failed.length,
    cancelled: calls.filter((c) => c.cancelled && !c.error_kind).length,
    p50: quantile(waited, 0.5),
    p95: quantile(waited, 0.95),
    kinds: [...kinds].map(([name, n]) => `${name} ${n}`).join(", "),
    last: calls.slice(-24),
  };
}

function strip(calls) {
  const of = (c) => (c.error_kind ? "failed" : c.cancelled ? "lost" : "full");
  const bad = calls.filter((c) => of(c) === "failed").length;
  const told = `${calls.length} last calls, ${bad} failed`;
  return el("span", { class: "strip", role: "img", "aria-label": told }, calls.map((c) => el("i", { class: of(c), title: `${clock(c.at)} ${c.error_kind ?? (c.cancelled ? "cancelled" : "ok")}` })));
}

const ABOUT = {
  hedging: "a second model starts when the first is slow",
  resume: "another model goes on where one breaks off",
  lead_ins: "a phrase is said when the first word is late",
  council: "several coaches answer together",
  capture: "the words of turns are kept, encrypted",
  speech_filter: "what cannot be spoken is taken out",
};

/** The switches. A change holds on all machines at once and is written down. */
export async function flags(told = null) {
  const panel = byId("flags");
  const place = panel.querySelector(".body");
  let list;
  try {
    list = await get("/v1/flags");
  } catch (error) {
    if (place.querySelector("table")) panel.querySelector("[role=status]").textContent = error.message;
    else show(place, trouble(error));
    return;
  }
  mark(list.changes.map((c) => ({ at: Date.parse(c.changed_at), text: `${c.name} ${c.value === null ? "reset" : shown(c.value)}` })));
  const focused = document.activeElement?.closest?.("[data-flag]")?.dataset.flag;
  const columns = [
    { name: "Switch", of: (f) => el("span", { class: "flag" }, el("b", { text: f.name }), el("span", { class: "note", text: ABOUT[f.name] ?? "this model may be asked" })) },
    { name: "On", of: (f) => toggle(f) },
    { name: "Of sessions", of: (f) => share(f) },
    { name: "Since", of: (f) => (f.is_set ? `${stamp(f.changed_at)} by ${f.changed_by}${f.expires_at ? `, until ${stamp(f.expires_at)}` : ""}` : "as set at start") },
    { name: "Undo", of: (f) => (f.is_set ? act("Reset", `Reset ${f.name} to its setting`, f.name, null) : el("span")) },
  ];
  const change = (c) => el("li", { text: `${stamp(c.changed_at)}: ${c.name} ${c.value === null ? "reset" : `set to ${shown(c.value)}`} by ${c.changed_by}` });
  show(
    place,
    table("Flags", columns, list.items),
    list.changes.length > 0 && el("details", {}, el("summary", { text: "Latest changes" }), el("ul", { class: "changes note" }, list.changes.slice(0, 12).map(change))),
  );
  if (told) panel.querySelector("[role=status]").textContent = told;
  if (focused) place.querySelector(`[data-flag="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

const shown = (value) => (value === true ? "on" : value === false ? "off" : value);

function toggle(flag) {
  const on = flag.value !== false;
  return el("button", {
    type: "button",
    class: "switch",
    role: "switch",
    "aria-checked": String(on),
    "aria-label": flag.name,
    data: { flag: `${flag.name} switch` },
    on: { click: () => put(flag.name, !on) },
  });
}

function share(flag) {
  const values = [["true", "all"], ["50%", "50 %"], ["25%", "25 %"], ["10%", "10 %"], ["1%", "1 %"], ["false", "none"]];
  const now = String(flag.value);
  if (!values.some(([value]) => value === now)) values.push([now, now]);
  const select = el(
    "select",
    { "aria-label": `${flag.name}: of how many sessions`, data: { flag: `${flag.name} share` } },
    values.map(([value, text]) => el("option", { value, text, selected: value === now })),
  );
  select.addEventListener("change", () => put(flag.name, select.value === "true" ? true : select.value === "false" ? false : select.value));
  return select;
}

const act = (text, label, name, value) =>
  el("button", { type: "button", class: "button quiet", text, "aria-label": label, on: { click: () => put(name, value) } });

async function put(name, value) {
  const hours = Number(byId("flag-for").value);
  const body = { value };
  if (hours && value !== null) body.expires_at = new Date(Date.now() + hours * 3_600_000).toISOString();
  try {
    await send("PUT", `/v1/flags/${name.split("/").map(encodeURIComponent).join("/")}`, body);
    await flags(`${name} is ${value === null ? "as set at start" : shown(value)} now, on all machines.`);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    byId("flags").querySelector("[role=status]").textContent = `${name} was not changed: ${error.message}`;
  }
}

export function startFlags() {
  onSubmit(byId("model-off"), () => {
    const slug = byId("model-slug").value.trim();
    if (slug) put(`model:${slug}`, false);
    byId("model-slug").value = "";
  });
}
