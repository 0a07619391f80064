// What can go wrong in the playground: the rehearsal's ten ugly turns, and single faults. A fault is
// heeded by `clm demo` alone, whose models are simulated.

export const WORDS = "I was passed over for a promotion.";

/** The talk so far: lead-ins are for a conversation under way. */
export const BEFORE = [
  { role: "user", content: "Hello." },
  { role: "assistant", content: "Hello, good to hear you. What brings you here?" },
];

/** Name, what the models asked do in order, and the longest silence in milliseconds that passes. */
export const SCENES = [
  ["a slow first word (2 s)", "slow-first:2000,ok", 1300],
  ["every model slow (3 s)", "slow-first:3000,slow-first:3000,slow-first:3000", 2000],
  ["429, then 500", "429:3,500,ok", 600],
  ["a black hole", "hang,ok", 1300],
  ["keep-alives and no word", "comments-only,ok", 1300],
  ["a reset in mid-sentence", "cut:12,ok", 600],
  ["a stall in mid-sentence", "stall:12,ok", 1300],
  ["a clean close, the next starts over", "fin:9,restart", 1300],
  ["two deaths in one answer", "err-a:14,cut:6", 1300],
  ["the user breaks in, all models down", "500,503,529,401", 600, "Tell me everything about salaries.", "Wait, I meant something else."],
].map(([name, faults, most, before, words]) => ({ name, faults, most, before, words: words ?? WORDS }));

export const FAULTS = [
  ["", "none"],
  ["slow-first:2000,ok", "first word after 2 s"],
  ["slow-first:6000,slow-first:6000,slow-first:6000", "no word in 6 s from anybody"],
  ["cut:8,ok", "cut after 8 words"],
  ["stall:8,ok", "silence after 8 words"],
  ["429:3,ok", "429, then fine"],
  ["500,503,529,401", "all models down"],
  ["empty,ok", "an empty answer"],
];

/** The expressions that the sliders set, of the 48 that a platform sends. */
export const SOUNDS = ["Anxiety", "Excitement", "Sadness", "Determination", "Confusion", "Tiredness"];
