// The turns at hand: those seen live and those asked for, each once, newest last.

import { get, query } from "./api.js";

/** Turns that are held at once. */
const MOST = 6000;
/** Pages of a thousand that are asked for a range. */
const PAGES = 3;

export class Book {
  #turns = new Map();

  /** True where it is a turn that was not held before. */
  take(turn) {
    const before = this.#turns.get(turn.turn_id);
    turn.at = Date.parse(turn.created_at);
    // A list tells no attempts; a turn seen live does.
    if (!turn.attempts && before?.attempts) turn.attempts = before.attempts;
    this.#turns.set(turn.turn_id, turn);
    if (this.#turns.size > MOST) this.#turns.delete(this.#turns.keys().next().value);
    return !before;
  }

  /** Since a time in milliseconds, oldest first. Ids sort by time. */
  since(at) {
    const all = [...this.#turns.values()].filter((turn) => turn.at >= at);
    return all.sort((a, b) => (a.turn_id < b.turn_id ? -1 : 1));
  }

  get(id) {
    return this.#turns.get(id);
  }

  find(test) {
    return [...this.#turns.values()].reverse().find(test);
  }

  /** Fetches a range's newest turns. Tells whether that was all of them, and where they are from. */
  async fetch(range, signal) {
    let cursor;
    let source = "store";
    for (let page = 0; page < PAGES; page += 1) {
      const list = await get(`/v1/turns${query({ range, limit: 1000, cursor })}`, signal);
      // Oldest first, so that the oldest is the first to be let go.
      for (const turn of list.items.reverse()) this.take(turn);
      source = list.source ?? source;
      cursor = list.next_cursor;
      if (!cursor || list.items.length < 1000) return { whole: true, source };
    }
    return { whole: false, source };
  }
}

/** Whether the second model of a race spoke. */
export function hedgeWon(turn) {
  if (!turn.hedged) return false;
  const raced = (turn.attempts ?? []).filter((attempt) => attempt.cause === "hedge");
  if (raced.length === 0) return turn.served_model !== turn.planned_model;
  return raced.some((attempt) => !attempt.cancelled && !attempt.error_kind);
}

export const CANCELLED = new Set(["interrupted", "superseded"]);
export const FAILED = new Set(["failed", "partial_failed", "shed"]);

/** Outcomes in one order and one colour everywhere. */
export const OUTCOMES = [
  ["complete", "--c4"],
  ["partial_recovered", "--c1"],
  ["interrupted", "--c6"],
  ["superseded", "--c7"],
  ["partial_failed", "--c2"],
  ["failed", "--c3"],
  ["shed", "--c5"],
];

export const outcomeColour = (outcome) => OUTCOMES.find(([name]) => name === outcome)?.[1] ?? "--c6";
export const words = (name) => String(name ?? "–").replaceAll("_", " ");
