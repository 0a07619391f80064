// The analytics: models, coaches, savings, experiments.

import { byId, el, empty, show, table, trouble } from "./dom.js";
import { ascending, count, csv, download, ms, percent, quantile, usd } from "./format.js";
import { get } from "./api.js";
import { FAILED } from "./book.js";

const none = (what) => empty(`No ${what} in this time`, "They are added up as turns end.");

const figures = [
  { name: "Turns", number: true, of: (r) => count(r.count) },
  { name: "Cost", number: true, of: (r) => usd(r.cost_usd), title: "Turns of unknown cost are not in it" },
  { name: "Errors", number: true, of: (r) => percent(r.error_rate) },
  { name: "First token p50", number: true, of: (r) => ms(r.p50_first_token_ms) },
  { name: "p95", number: true, of: (r) => ms(r.p95_first_token_ms) },
  { name: "Answer p50", number: true, of: (r) => ms(r.p50_response_ms) },
  { name: "p95", number: true, of: (r) => ms(r.p95_response_ms) },
  { name: "Satisfaction", number: true, of: (r) => rating(r) },
];

function rating(row) {
  const mean = row.mean_satisfaction;
  return mean === null || mean === undefined ? "–" : `${mean.toFixed(2)} (${count(row.rated)})`;
}

const DRAW = {
  models(report) {
    if (report.items.length === 0) return none("models");
    const calls = { name: "Calls", number: true, of: (r) => count(r.calls), title: "Also those that lost a race" };
    const columns = [{ name: "Model", of: (r) => r.model ?? "All" }, figures[0], calls, ...figures.slice(1)];
    return table("Models", columns, report.items, report.totals);
  },
  coaches(report) {
    if (report.items.length === 0) return none("coaches");
    const cut = { name: "Cut off", number: true, of: (r) => count(r.interrupted), title: "The user spoke over it" };
    const columns = [{ name: "Coach", of: (r) => r.coach ?? "All" }, ...figures.slice(0, 3), cut, ...figures.slice(3)];
    return table("Coaches", columns, report.items, report.totals);
  },
  savings(report) {
    const t = report.totals;
    if (report.items.length === 0) return none("turns");
    const columns = [
      { name: "Coach", of: (r) => r.coach ?? "All" },
      { name: "Tier", of: (r) => r.tier ?? "" },
      { name: "Turns", number: true, of: (r) => count(r.count) },
      { name: "Paid", number: true, of: (r) => usd(r.cost_usd) },
      { name: "Baseline", number: true, of: (r) => usd(r.baseline_usd) },
      { name: "Saved", number: true, of: (r) => usd(r.saved_usd) },
      { name: "Share", number: true, of: (r) => (r.saved_percent === null ? "–" : `${r.saved_percent} %`) },
    ];
    const told = `${t.baseline_model} would have cost ${usd(t.baseline_usd)}: ${usd(t.saved_usd)} saved.`;
    byId("savings").querySelector(".note").textContent = `Left out: ${t.left_out}.`;
    return el("div", {}, el("p", { class: "lead", text: told }), table("Savings", columns, report.items, t));
  },
  experiments(report) {
    if (report.items.length === 0) return empty("No experiment runs", "EXPERIMENTS_FILE names them; an arm appears with its first turn that counts.");
    const names = [...new Set(report.items.map((item) => item.experiment))];
    return el("div", { class: "trials" }, names.map((name) => trial(name, report.items.filter((i) => i.experiment === name))));
  },
};

/** One experiment: each arm's figures as intervals on one scale, and what they say. */
function trial(name, arms) {
  const measures = [
    ["Failed turns", "error_rate_95", "error_rate", percent],
    ["Satisfaction", "mean_satisfaction_95", "mean_satisfaction", (n) => n?.toFixed(2) ?? "–"],
    ["Cost a turn", "mean_cost_usd_95", "mean_cost_usd", usd],
  ];
  const columns = [
    { name: "Arm", of: (a) => el("b", { text: a.variant }) },
    { name: "Turns", number: true, of: (a) => count(a.count) },
    ...measures.map(([title, pair, point, format]) => {
      const ends = arms.flatMap((a) => a[pair] ?? []);
      const scale = [Math.min(...ends), Math.max(...ends)];
      return { name: title, of: (a) => interval(a[pair], a[point], scale, format) };
    }),
    { name: "First token p50", number: true, of: (a) => ms(a.p50_first_token_ms) },
    { name: "Verdict", of: (a) => el("span", { class: "verdict", text: a.verdict }) },
  ];
  return el("section", {}, el("h3", { text: name }), table(`Experiment ${name}`, columns, arms));
}

function interval(pair, point, [low, high], format) {
  if (!pair) return format(point);
  const width = high - low || 1;
  const at = (n) => `${(100 * (n - low)) / width}%`;
  const told = `${format(point)}, 95 %: ${format(pair[0])} to ${format(pair[1])}`;
  const bar = el("i", { style: { left: at(pair[0]), width: `${(100 * (pair[1] - pair[0])) / width}%` } });
  const dot = point === null || point === undefined ? null : el("b", { style: { left: at(point) } });
  return el(
    "span",
    { class: "interval", title: told },
    el("span", { class: "ends", text: told }),
    el("span", { class: "range", "aria-hidden": "true" }, bar, dot),
  );
}

/** A report's items from the turns at hand, for when the store cannot be asked. */
const FROM_TURNS = {
  models: (turns) => added(turns, "model", (turn) => turn.served_model),
  coaches: (turns) => added(turns, "coach", (turn) => turn.coach),
};

function added(turns, name, of) {
  const groups = new Map();
  for (const turn of turns.filter(of)) groups.set(of(turn), [...(groups.get(of(turn)) ?? []), turn]);
  const items = [...groups].map(([key, some]) => ({ [name]: key, ...sums(some) }));
  return { items: items.sort((a, b) => b.count - a.count), totals: sums(turns) };
}

function sums(turns) {
  const first = ascending(turns.map((turn) => turn.first_token_ms));
  const whole = ascending(turns.map((turn) => turn.total_ms));
  const rated = turns.filter((turn) => turn.satisfaction);
  return {
    count: turns.length,
    calls: turns.reduce((sum, turn) => sum + (turn.attempts?.length ?? 1), 0),
    cost_usd: turns.reduce((sum, turn) => sum + Number(turn.cost_usd ?? 0), 0),
    error_rate: turns.length ? turns.filter((turn) => FAILED.has(turn.outcome)).length / turns.length : null,
    interrupted: turns.filter((turn) => turn.outcome === "interrupted").length,
    p50_first_token_ms: quantile(first, 0.5),
    p95_first_token_ms: quantile(first, 0.95),
    p50_response_ms: quantile(whole, 0.5),
    p95_response_ms: quantile(whole, 0.95),
    mean_satisfaction: rated.length ? rated.reduce((sum, turn) => sum + turn.satisfaction, 0) / rated.length : null,
    rated: rated.length,
  };
}

/** What a panel shows where the server has no file of it: the page makes one then. */
const atHand = new Map();

/** The report as a file from what is shown; false where the server has it. */
export function saveHere(name) {
  const report = atHand.get(name);
  if (!report) return false;
  const columns = Object.keys(report.totals);
  const rows = [...report.items, report.totals].map((row) => [row.model ?? row.coach ?? "all", ...columns.map((column) => row[column])]);
  download(`clm-${name}.csv`, csv([name, ...columns], rows));
  return true;
}

/**
 * Fetches a report and shows it in the panel of the same name. Where it cannot be had, what was shown
 * stays, or the turns at hand are added up.
 */
export async function report(name, range, turns, signal) {
  const panel = byId(name);
  const body = panel.querySelector(".body");
  try {
    const told = await get(`/v1/analytics/${name}?range=${range}`, signal);
    if (DRAW[name]) show(body, DRAW[name](told));
    atHand.delete(name);
    mark(panel, told.stale ? "from before: the store is away" : null);
    return told;
  } catch (error) {
    if (error.name === "AbortError") return null;
    const shown = body.querySelector("table, .chart:not([hidden])");
    if (FROM_TURNS[name] && turns().length > 0) {
      atHand.set(name, FROM_TURNS[name](turns()));
      show(body, DRAW[name](atHand.get(name)));
      mark(panel, "from this machine's memory");
    } else if (shown) mark(panel, `from before: ${error.message}`);
    else if (DRAW[name]) show(body, trouble(error));
    return null;
  }
}

function mark(panel, text) {
  panel.querySelector(".stale")?.remove();
  if (text) panel.querySelector("h2").after(el("span", { class: "pill warn stale", text }));
}
