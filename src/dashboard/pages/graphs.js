// What the charts over time show, from the turns at hand and the spend report.

import { CANCELLED, OUTCOMES, hedgeWon, words } from "./book.js";
import { Chart } from "./charts.js";
import { byId, empty } from "./dom.js";
import { ascending, count, ms, quantile, usd } from "./format.js";

const MINUTE = 60_000;
/** Ranges: how long, and how long one step of a chart. */
export const RANGES = {
  "15m": [15 * MINUTE, 15_000],
  "1h": [60 * MINUTE, MINUTE],
  "6h": [360 * MINUTE, 6 * MINUTE],
  "24h": [1440 * MINUTE, 24 * MINUTE],
  "7d": [10_080 * MINUTE, 180 * MINUTE],
  "30d": [43_200 * MINUTE, 720 * MINUTE],
};

/** By what turns can be grouped: name, and the field. */
export const GROUPS = {
  none: null,
  coach: "coach",
  model: "served_model",
  tier: "tier",
  caller: "profile",
  variant: "variant",
};

const COLOURS = ["--c1", "--c2", "--c4", "--c5", "--c3", "--c6"];
const none = (what = "turns", hint = "They appear here as they end.") => empty(`No ${what} in this time`, hint);

export class Graphs {
  constructor() {
    const whole = (n) => (n === null || n === undefined ? "–" : Number.isInteger(n) ? count(n) : "");
    const of = (id, format) => new Chart(byId(id), id, format);
    this.turns = of("turns-by-outcome", whole);
    this.speakable = of("first-speakable", ms);
    this.overhead = of("own-overhead", ms);
    this.hedges = of("hedges", whole);
    this.cancels = of("cancels", whole);
    this.spend = of("spend", (n) => (n === null || n === undefined ? "–" : usd(n)));
  }

  /** `turns` oldest first. */
  draw(turns, range, group, now) {
    const [length, step] = RANGES[range];
    const from = Math.floor((now - length) / step) * step + step;
    const steps = Array.from({ length: Math.ceil((now - from) / step) }, () => []);
    for (const turn of turns) steps[Math.floor((turn.at - from) / step)]?.push(turn);
    const times = steps.map((_, i) => (from + i * step + step / 2) / 1000);
    const base = { times, span: [from / 1000, (from + steps.length * step) / 1000] };
    const groups = group === "none" ? null : parts(turns, GROUPS[group]);
    const stack = (series, ...missing) => ({ ...base, kind: "stack", series, none: none(...missing) });
    const lines = (series) => ({ ...base, kind: "lines", series, none: none() });
    const counted = (name, colour, test) => ({ name, colour, values: steps.map((some) => some.filter(test).length) });

    const outcomes = OUTCOMES.map(([name, colour]) => counted(words(name), colour, (t) => t.outcome === name));
    const seen = outcomes.filter((line) => line.values.some(Boolean));
    this.turns.draw(stack(groups ? groups.map((g) => counted(g.name, g.colour, g.has)) : seen));
    this.speakable.draw(lines(speeds(steps, groups, "first_speakable_ms", [50, 95, 99])));
    this.overhead.draw(lines(speeds(steps, groups, "overhead_ms", [50, 95, 99])));
    this.hedges.draw(
      stack([
        counted("won by the second model", "--c4", hedgeWon),
        counted("won by the first", "--c7", (t) => t.hedged && !hedgeWon(t)),
      ], "hedges", "No model was slow enough to be raced."),
    );
    const cancels = [...CANCELLED].map((name) => counted(words(name), name === "interrupted" ? "--c1" : "--c6", (t) => t.outcome === name));
    this.cancels.draw(stack(cancels, "cancels", "Nobody broke in."));
    // The report knows whole hours, which say nothing of a short time.
    if (groups || !this.spent || length < RANGES["24h"][0]) {
      const cost = (g) => (some) => some.filter(g.has).reduce((sum, t) => sum + Number(t.cost_usd ?? 0), 0);
      const of = groups ?? [{ name: "spent", colour: "--c1", has: () => true }];
      this.spend.draw(stack(of.map((g) => ({ name: g.name, colour: g.colour, values: steps.map(cost(g)) }))));
    } else {
      this.spend.draw({ ...this.spent, span: base.span, none: none() });
    }
  }

  /** The spend report, hours or days. It knows also what has no turn at hand any more. */
  takeSpend(report) {
    const items = report.items;
    const estimated = items.map((item) => Number(item.estimated_usd));
    this.spent = {
      kind: "stack",
      times: items.map((item) => Date.parse(item.start) / 1000 + item.hours * 1800),
      series: [
        { name: "as billed", colour: "--c1", values: items.map((item, i) => Number(item.cost_usd) - estimated[i]) },
        { name: "estimated", colour: "--c7", values: estimated },
      ],
    };
  }
}

/** The largest groups, and the rest as one. */
function parts(turns, field) {
  const sizes = new Map();
  const of = (turn) => turn[field] ?? "none";
  for (const turn of turns) sizes.set(of(turn), (sizes.get(of(turn)) ?? 0) + 1);
  const names = [...sizes].sort((a, b) => b[1] - a[1]).map(([name]) => name);
  const shown = names.slice(0, COLOURS.length);
  const groups = shown.map((name, i) => ({ name, colour: COLOURS[i], has: (turn) => of(turn) === name }));
  if (names.length > shown.length) groups.push({ name: "others", colour: "--c7", has: (t) => !shown.includes(of(t)) });
  return groups;
}

/** Quantiles a step: of all turns three, of groups the 95th of each. */
function speeds(steps, groups, field, shares) {
  const at = (some, share) => quantile(ascending(some.map((turn) => turn[field])), share / 100);
  if (groups) {
    return groups.map((g) => ({ name: `${g.name} p95`, colour: g.colour, values: steps.map((some) => at(some.filter(g.has), 95)) }));
  }
  const colours = { 50: "--c4", 95: "--c2", 99: "--c3" };
  return shares.map((share) => ({ name: `p${share}`, colour: colours[share], values: steps.map((some) => at(some, share)) }));
}
