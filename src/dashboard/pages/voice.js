// Hearing and speaking with what the browser has. Where it has neither, words still come as text.

const ears = globalThis.SpeechRecognition ?? globalThis.webkitSpeechRecognition;
const mouth = globalThis.speechSynthesis;
/** How fast a voice is taken to speak where none is heard, words a minute. */
const WPM = 170;
const SENTENCE = /^[\s\S]*?[.!?…]["')\]]?\s+/;

export const canHear = Boolean(ears);
export const canSpeak = () => Boolean(mouth && mouth.getVoices().length > 0);

/** What a listener hears of words that came at certain times: silence is when nothing sounds. */
export class Timeline {
  longest = 0;
  #until = 0;
  #began = false;

  /** These words came so many milliseconds after the request. */
  hear(at, words) {
    this.longest = Math.max(this.longest, at - this.#until);
    // Pieces begin with the space before their word; the first has none.
    const count = words.split(/[ \n]/).length - (this.#began ? 1 : 0);
    this.#began = true;
    this.#until = Math.max(this.#until, at) + (count * 60_000) / WPM;
  }
}

/** Says words as they come, a sentence at a time, and knows how many of them were heard. */
export class Voice {
  #rest = "";
  #waiting = 0;
  #said = 0;
  #within = 0;
  #began = null;
  #whole = "";

  constructor(aloud, quiet) {
    this.aloud = aloud && canSpeak();
    /** Called when all is said. */
    this.quiet = quiet;
    this.open = true;
  }

  add(words) {
    this.#began ??= performance.now();
    this.#whole += words;
    this.#rest += words;
    for (let found; (found = SENTENCE.exec(this.#rest)); ) {
      this.#rest = this.#rest.slice(found[0].length);
      this.#say(found[0]);
    }
  }

  end() {
    if (this.#rest.trim()) this.#say(this.#rest);
    this.#rest = "";
    this.open = false;
    if (this.#waiting === 0) this.quiet();
  }

  /** Silence at once; what was heard until then. */
  stop() {
    const heard = this.heard();
    this.open = false;
    this.#waiting = 0;
    this.#rest = "";
    if (this.aloud) mouth.cancel();
    return heard;
  }

  heard() {
    if (this.#began === null) return "";
    if (this.aloud) return this.#whole.slice(0, this.#said + this.#within).trim();
    const words = Math.floor(((performance.now() - this.#began) / 60_000) * WPM);
    return this.#whole.split(/(?<=\s)/).slice(0, words).join("").trim();
  }

  get speaking() {
    return this.open || this.#waiting > 0;
  }

  #say(text) {
    if (!this.aloud) return;
    const utterance = new SpeechSynthesisUtterance(text);
    utterance.onboundary = (event) => (this.#within = event.charIndex);
    utterance.onend = utterance.onerror = () => {
      this.#said += text.length;
      this.#within = 0;
      this.#waiting = Math.max(0, this.#waiting - 1);
      if (this.#waiting === 0 && !this.open) this.quiet();
    };
    this.#waiting += 1;
    mouth.speak(utterance);
  }
}

/** Listens. `heard`: `some` while somebody speaks, `all` with what was said, `over` at the end. */
export function listen(heard) {
  const hearing = new ears();
  hearing.lang = navigator.language || "en-US";
  hearing.interimResults = true;
  hearing.continuous = true;
  hearing.onresult = (event) => {
    const last = event.results[event.results.length - 1];
    const words = last[0].transcript.trim();
    if (!words) return;
    if (last.isFinal) heard.all(words);
    else heard.some(words);
  };
  hearing.onerror = (event) => heard.over(event.error);
  hearing.onend = () => heard.over();
  hearing.start();
  return () => hearing.stop();
}
