// What one turn looks like, wherever it is shown: its outcome, its figures, its calls, its words.

import { FAILED, words } from "./book.js";
import { el, table } from "./dom.js";
import { clock, count, ms, usd } from "./format.js";
import { query } from "./api.js";
import { line } from "./waterfall.js";

export const pill = (outcome) => {
  const kind = outcome === "complete" ? "good" : FAILED.has(outcome) ? "bad" : outcome.startsWith("partial") ? "warn" : "";
  return el("span", { class: `pill ${kind}`, text: words(outcome) });
};

/** The parts of a turn's line in a list; `most` is the longest turn of the list. */
export function parts(turn, most) {
  const marks = [
    turn.hedged && "hedged",
    turn.continued && "continued",
    turn.lead_in && "lead-in",
    turn.experiment && `${turn.experiment}/${turn.variant}`,
  ].filter(Boolean);
  return [
    el("span", { class: "when mono", text: clock(Date.parse(turn.created_at)) }),
    el("span", { class: "who" }, el("b", { text: turn.coach }), el("span", { class: "note", text: turn.coach_reason })),
    line(turn, most),
    el("span", { class: "first", text: ms(turn.first_speakable_ms) }),
    el("span", { class: "model note", text: turn.served_model ?? turn.planned_model }),
    el("span", { class: "marks note", text: marks.join(" · ") }),
    el("span", { class: "cost", text: usd(turn.cost_usd) }),
    el("span", { class: "end" }, pill(turn.outcome)),
  ];
}

/** A session's page, with one of its turns open. */
export const sessionPage = (id, turn) => `/session${query({ id, turn })}`;

/** The playground set as this turn was: a council where one was called, else its coach; its tier. */
export function playground(turn) {
  const coach = turn.coach_reason.startsWith("council:") ? "council" : turn.coach;
  return `/playground${query({ coach, tier: turn.tier })}`;
}

/** Has the playground say these words. They go by the tab's own memory: an address is written down. */
export function sayAgain(turn, text) {
  const link = el("a", { class: "button", href: playground(turn), text: "Say it again in the playground" });
  link.addEventListener("click", () => sessionStorage.setItem("clm-say", text));
  return link;
}

/** What was said, where the operator had it kept. */
export function said(kept) {
  if (!kept) return el("p", { class: "note", text: "What was said is not kept. CAPTURE_TEXT or the flag “capture” keeps it, encrypted, for a time." });
  return el("dl", { class: "said" }, el("dt", { text: "User" }), el("dd", { text: kept.user }), el("dt", { text: "Coach" }), el("dd", { text: kept.reply }));
}

export function facts(turn) {
  const council = (turn.attempts ?? []).map((a) => a.coach).filter(Boolean);
  const memory = `${turn.memory_outcome}${turn.memory_ms ? `, ${ms(turn.memory_ms)}` : ""}`;
  const tokens = `${count(turn.prompt_tokens)} in (${count(turn.cached_tokens)} cached), ${count(turn.completion_tokens)} out`;
  const all = [
    ["Model", turn.served_model ?? "none"],
    ["Planned", `${turn.planned_model}${turn.model_reason ? `, ${turn.model_reason}` : ""}`],
    ["Provider", turn.provider],
    ["Cost", `${usd(turn.cost_usd)} (${turn.cost_source})`],
    ["Tokens", tokens],
    ["Memory", memory],
    ["Council", council.join(", ")],
    ["Tier", turn.tier],
    ["Complexity", turn.complexity],
    ["Caller", `${turn.profile}, identity ${turn.identity}`],
    ["Experiment", turn.experiment && `${turn.experiment}, ${turn.variant}`],
    ["Satisfaction", turn.satisfaction && `${turn.satisfaction} of 5`],
    ["Hedged", turn.hedged ? "a second model was asked because the first was slow" : null],
    ["Continued", turn.continued ? "another model went on where one broke off" : null],
    ["Lead-in", turn.lead_in ? "a phrase was said before the answer" : null],
    ["Turn", turn.turn_id],
    ["Session", turn.session_id],
    ["Trace", turn.trace_id],
    ["Generation", turn.generation_id],
  ].filter(([, value]) => value !== null && value !== undefined && value !== "");
  const ids = new Set(["Turn", "Session", "Trace", "Generation", "Model", "Planned"]);
  const pair = ([name, value]) => el("div", {}, el("dt", { text: name }), el("dd", { class: ids.has(name) ? "mono" : "", text: String(value) }));
  return el("dl", { class: "facts" }, all.map(pair));
}

export function attempts(list) {
  const columns = [
    { name: "Why", of: (a) => (a.coach ? `${a.cause}, ${a.coach}` : a.cause) },
    { name: "Model", of: (a) => a.model },
    { name: "Provider", of: (a) => a.provider ?? "–" },
    { name: "Result", of: (a) => a.error_kind ?? (a.cancelled ? "cancelled by us" : String(a.status ?? "–")) },
    { name: "First token", number: true, of: (a) => ms(a.first_token_ms) },
    { name: "Ended", number: true, of: (a) => ms(a.ended_ms) },
    { name: "Cost", number: true, of: (a) => usd(a.cost_usd) },
  ];
  return el("section", {}, el("h3", { text: "Calls to models" }), table("Calls to models", columns, list));
}
