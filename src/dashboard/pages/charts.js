// Charts over time on uPlot: lines and stacks, one cursor for all, read by keyboard, as a table and as CSV.

import { el, show, table } from "./dom.js";
import { clock, csv, day, download } from "./format.js";

/* global uPlot */

const HEIGHT = 188;
const all = new Set();
/** What happened besides, on every chart: `at` in milliseconds, and `text`. */
let events = [];

export function mark(list) {
  events = list;
  all.forEach((chart) => chart.plot?.redraw(false));
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A tick of the time axis: the hour, and at midnight the day. */
const hour = (at) => (at % 86_400 === 0 ? day(at * 1000).slice(5) : clock(at * 1000).slice(0, 5));

/** A dashed line at each event, its text beside it. */
function drawEvents(plot) {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour("--muted");
  ctx.lineWidth = ratio;
  ctx.font = `${10 * ratio}px system-ui, sans-serif`;
  ctx.setLineDash([3 * ratio, 3 * ratio]);
  let before = -Infinity;
  let row = 0;
  for (const { at, text } of events) {
    const x = plot.valToPos(at / 1000, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    // Below the one before it where they would meet, and on the side where there is room.
    row = Math.abs(x - before) < 100 * ratio ? row + 1 : 0;
    before = x;
    const right = x < bbox.left + bbox.width / 2;
    ctx.textAlign = right ? "left" : "right";
    ctx.fillText(text, x + (right ? 4 : -4) * ratio, bbox.top + (9 + 12 * row) * ratio);
  }
  ctx.restore();
}

document.addEventListener("clm:theme", () => all.forEach((chart) => chart.redraw()));

export class Chart {
  /** `panel`: an element with a header and a `.body`; `format`: a figure's text. */
  constructor(panel, name, format) {
    this.title = panel.querySelector("h2").textContent;
    this.name = name;
    this.format = format;
    this.asTable = false;
    this.place = el("div");
    this.legend = el("ul", { class: "legend" });
    this.told = el("p", { class: "unseen", "aria-live": "polite" });
    this.figure = el("figure", {
      class: "chart",
      tabindex: "0",
      role: "group",
      on: { keydown: (event) => this.#key(event), blur: () => this.#point(null) },
    });
    this.figure.append(this.place);
    const toggle = el("button", { class: "button quiet", type: "button", text: "Table", "aria-pressed": "false" });
    toggle.setAttribute("aria-label", `${this.title}: as a table`);
    toggle.addEventListener("click", () => {
      this.asTable = !this.asTable;
      toggle.setAttribute("aria-pressed", String(this.asTable));
      this.redraw();
    });
    const save = el("button", { class: "button quiet", type: "button", text: "CSV", "aria-label": `${this.title}: save as CSV` });
    save.addEventListener("click", () => this.save());
    panel.querySelector("header").append(toggle, save);
    this.body = panel.querySelector(".body");
    this.figure.hidden = this.legend.hidden = true;
    show(this.body, el("p", { class: "empty", text: "Loading…" }), this.legend, this.figure, this.told);
    this.sizes = new ResizeObserver(() => this.#fit());
    this.sizes.observe(this.figure);
    all.add(this);
  }

  /**
   * `view`: `times` in seconds, `span` (from, until), `kind` (`lines` or `stack`), `series` of `name`,
   * `values`, `colour` (a custom property's name), `none` (what to show where there is nothing).
   */
  draw(view) {
    this.view = view;
    this.redraw();
  }

  redraw() {
    const view = this.view;
    if (!view) return;
    const some = view.series.some((line) => line.values.some((value) => value));
    this.figure.hidden = !some || this.asTable;
    this.legend.hidden = !some || this.asTable;
    this.body.querySelectorAll(":scope > .empty, :scope > .scroll").forEach((old) => old.remove());
    if (!some) this.body.append(view.none);
    else if (this.asTable) this.body.append(this.#table());
    else this.#plot();
  }

  save() {
    if (!this.view) return;
    const { times, series } = this.view;
    const rows = times.map((at, i) => [new Date(at * 1000).toISOString(), ...series.map((line) => line.values[i])]);
    download(`clm-${this.name}.csv`, csv(["start", ...series.map((line) => line.name)], rows));
  }

  #table() {
    const { times, series } = this.view;
    const rows = times.map((at, i) => ({ at, i })).filter(({ i }) => series.some((line) => line.values[i]));
    const columns = [
      { name: "From (UTC)", of: ({ at }) => `${day(at * 1000)} ${clock(at * 1000)}` },
      ...series.map((line) => ({ name: line.name, number: true, of: ({ i }) => this.format(line.values[i]) })),
    ];
    return table(this.title, columns, rows.reverse());
  }

  #plot() {
    const view = this.view;
    const key = JSON.stringify([view.kind, view.series.map((line) => line.name), document.documentElement.dataset.theme]);
    const data = this.#data();
    if (this.plot && this.key === key) {
      this.plot.setData(data);
    } else {
      this.plot?.destroy();
      this.key = key;
      this.plot = new uPlot(this.#options(), data, this.place);
    }
    this.figure.setAttribute("aria-label", `${this.title}, chart. Left and right arrow keys read its values.`);
    this.#point(null);
  }

  /** A stack is drawn from its whole height down, each part over the one before. */
  #data() {
    const { times, series, kind } = this.view;
    if (kind === "lines") return [times, ...series.map((line) => line.values)];
    const sums = times.map(() => 0);
    const heights = series.map((line) => line.values.map((value, i) => (sums[i] += value ?? 0)));
    return [times, ...heights.reverse()];
  }

  #options() {
    const { series, kind } = this.view;
    const lines = series.map((line) => {
      const stroke = colour(line.colour);
      if (kind === "lines") return { stroke, width: 1.75, points: { show: true, size: 4, fill: stroke } };
      const paths = uPlot.paths.bars({ size: [0.72, 26], radius: 0.12 });
      return { fill: stroke, stroke, width: 0, paths, points: { show: false } };
    });
    if (kind === "stack") lines.reverse();
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { show: false } };
    const font = "11px system-ui, sans-serif";
    return {
      width: this.#width(),
      height: HEIGHT,
      padding: [8, 18, 0, 0],
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "UTC"),
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: "clm" }, points: { show: kind === "lines" } },
      scales: { x: { range: () => this.view.span }, y: { range: (_, low, high) => [0, (high || 1) * 1.08] } },
      axes: [
        { ...axis, font, size: 28, space: 56, grid: { show: false }, values: (_, ticks) => ticks.map(hour) },
        { ...axis, font, size: 58, space: 34, values: (_, ticks) => ticks.map((tick) => this.format(tick)) },
      ],
      series: [{}, ...lines],
      hooks: { setCursor: [(plot) => this.#read(plot.cursor.idx)], draw: [drawEvents] },
    };
  }

  /** The legend shows the values under the cursor. */
  #read(at) {
    const { times, series } = this.view;
    const some = at !== null && at !== undefined;
    const items = series.map((line) => {
      const mark = el("i", { style: { background: `var(${line.colour})` } });
      const value = some ? this.format(line.values[at]) : null;
      return el("li", {}, mark, el("span", { text: line.name }), value && el("b", { text: value }));
    });
    const when = some && el("li", { class: "when", text: `${clock(times[at] * 1000)} UTC` });
    show(this.legend, items, when);
  }

  #point(at) {
    this.at = at;
    this.#read(at);
    if (at === null || !this.plot) return;
    const { times, series } = this.view;
    this.plot.setCursor({ left: this.plot.valToPos(times[at], "x"), top: 8 });
    const values = series.map((line) => `${line.name} ${this.format(line.values[at])}`);
    this.told.textContent = `${clock(times[at] * 1000)} UTC: ${values.join(", ")}`;
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !this.view || this.figure.hidden) return;
    event.preventDefault();
    const last = this.view.times.length - 1;
    const from = this.at ?? (step < 0 ? last + 1 : -1);
    this.#point(Math.min(last, Math.max(0, from + step)));
  }

  #width() {
    return Math.max(220, Math.floor(this.figure.clientWidth || this.body.clientWidth));
  }

  #fit() {
    if (this.plot && !this.figure.hidden && this.plot.width !== this.#width()) {
      this.plot.setSize({ width: this.#width(), height: HEIGHT });
    }
  }
}
