// Where a turn's time went: one line for lists, and a whole picture for one turn.

import { el } from "./dom.js";
import { ms } from "./format.js";
import { words } from "./book.js";

/** A bar; however short, it is seen, and a call that outlived its turn ends with it. */
function span(from, to, total, kind, title) {
  const left = Math.min(99.4, (100 * from) / total);
  const width = Math.min(100 - left, Math.max(0.6, (100 * (to - from)) / total));
  return el("i", { class: `bar ${kind}`, title, style: { left: `${left}%`, width: `${width}%` } });
}

const planned = (turn) => turn.plan_ms ?? turn.memory_ms ?? 0;

/** The longest of some turns, for lines of one scale; a few very long ones do not flatten the rest. */
export function scale(turns) {
  const all = turns.map((turn) => turn.total_ms).sort((a, b) => a - b);
  return Math.max(500, all[Math.floor(all.length * 0.95)] ?? 0);
}

/** One line: memory, our plan, waiting for the model, speaking. */
export function line(turn, most) {
  const total = Math.max(most, 1);
  const end = Math.min(turn.total_ms, total);
  const cut = (at) => Math.min(at ?? end, end);
  const memory = cut(turn.memory_ms ?? 0);
  const plan = cut(planned(turn));
  const first = cut(turn.first_speakable_ms ?? turn.total_ms);
  const said = turn.first_speakable_ms === null || turn.first_speakable_ms === undefined;
  const bars = [
    memory > 0 && span(0, memory, total, "memory", `memory ${ms(turn.memory_ms)}`),
    plan > memory && span(memory, plan, total, "own", `plan ${ms(plan - memory)}`),
    first > plan && span(plan, first, total, said ? "failed" : "wait", `model ${ms(first - plan)}`),
    end > first && span(first, end, total, "speak", `speaking ${ms(turn.total_ms - first)}`),
  ];
  const words = said ? "no words" : `first words after ${ms(turn.first_speakable_ms)}`;
  const label = `${words}, ${ms(turn.total_ms)} in all`;
  return el("span", { class: "waterline", role: "img", "aria-label": label }, bars.filter(Boolean));
}

/** Every stage and every attempt of one turn. */
export function picture(turn) {
  const total = Math.max(turn.total_ms ?? 0, 1);
  const attempts = turn.attempts ?? [];
  const rows = [
    row("auth", 0, turn.auth_ms ?? 0, total, "own", turn.identity),
    row("memory", 0, turn.memory_ms ?? 0, total, "memory", turn.memory_outcome),
    row("coach and plan", turn.memory_ms ?? 0, planned(turn), total, "own", `${turn.coach}, ${turn.coach_reason}`),
    ...attempts.map((a, i) => attempt(a, i, total)),
  ];
  if (attempts.length === 0) {
    const first = turn.first_speakable_ms ?? turn.total_ms;
    rows.push(row("model", planned(turn), first, total, "wait", turn.served_model ?? turn.planned_model));
  }
  if (turn.first_speakable_ms !== null && turn.first_speakable_ms !== undefined) {
    rows.push(row("speaking", turn.first_speakable_ms, turn.total_ms, total, "speak", words(turn.outcome)));
  }
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) =>
    el("span", { text: ms(Math.round(total * share)), style: { left: `${share * 100}%` } }),
  );
  return el(
    "div",
    { class: "picture" },
    el("ol", {}, rows),
    el("div", { class: "ticks", "aria-hidden": "true" }, el("div", {}, ticks)),
    el(
      "p",
      { class: "note" },
      "Light until a model's first token, full after it. Left out: hearing where the user ends, the way to the caller and the voice itself. ",
      `Our own share: ${ms(turn.overhead_ms)}.`,
    ),
  );
}

function row(name, from, to, total, kind, note) {
  return el(
    "li",
    {},
    el("span", { class: "stage", text: name }),
    el("span", { class: "track" }, span(from, Math.max(from, to), total, kind)),
    el("span", { class: "took", text: ms(Math.max(0, to - from)) }),
    el("span", { class: "what", text: note ?? "" }),
  );
}

function attempt(a, i, total) {
  const from = a.started_ms ?? 0;
  const to = a.ended_ms ?? from;
  const first = a.first_token_ms ?? to;
  const bad = Boolean(a.error_kind);
  const result = a.error_kind ?? (a.cancelled ? "cancelled" : (a.status ?? ""));
  return el(
    "li",
    {},
    el("span", { class: "stage", text: `${i + 1} ${a.coach ?? a.cause}` }),
    el(
      "span",
      { class: "track" },
      span(from, Math.min(first, to), total, bad ? "failed" : "wait"),
      to > first && span(first, to, total, bad ? "failed" : a.cancelled ? "lost" : "full"),
    ),
    el("span", { class: "took", text: ms(to - from) }),
    el("span", { class: "what", text: `${a.model} ${result}` }),
  );
}
