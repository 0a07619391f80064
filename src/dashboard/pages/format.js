// Figures as people read them, and tables as spreadsheets read them.

const NONE = "–";
/** A figure is not parted from its unit. */
const THIN = "\u00a0";
const missing = (n) => n === null || n === undefined || Number.isNaN(Number(n));

export function ms(n) {
  if (missing(n)) return NONE;
  if (n === 0) return `0${THIN}ms`;
  if (n < 10) return `${Number(n).toFixed(2)}${THIN}ms`;
  if (n < 1000) return `${Math.round(n)}${THIN}ms`;
  return n < 10_000 ? `${(n / 1000).toFixed(2)}${THIN}s` : `${(n / 1000).toFixed(1)}${THIN}s`;
}

export function count(n) {
  return missing(n) ? NONE : Number(n).toLocaleString("en-US");
}

/** Dollars from the API's decimal string: small sums keep the digits that tell them apart. */
export function usd(text) {
  if (missing(text)) return NONE;
  const n = Number(text);
  const size = Math.abs(n);
  const digits = size === 0 || size >= 1 ? 2 : size >= 0.1 ? 3 : size >= 0.001 ? 4 : 6;
  const told = size.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${n < 0 ? "−" : ""}$${told}`;
}

export function percent(share) {
  if (missing(share)) return NONE;
  const n = share * 100;
  return `${n !== 0 && Math.abs(n) < 10 ? n.toFixed(1) : Math.round(n)} %`;
}

const two = (n) => String(n).padStart(2, "0");

/** Hours, minutes, seconds in UTC, the time of logs and records. */
export function clock(at) {
  const d = new Date(at);
  return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
}

export function day(at) {
  const d = new Date(at);
  return `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}`;
}

export const stamp = (at) => `${day(at)} ${clock(at)} UTC`;

export function age(seconds) {
  if (missing(seconds)) return NONE;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}

export function bytes(n) {
  if (missing(n)) return NONE;
  if (n < 1024) return `${n} B`;
  return n < 1_048_576 ? `${(n / 1024).toFixed(1)} KB` : `${(n / 1_048_576).toFixed(1)} MB`;
}

/** The value that a share of an ascending list does not exceed. */
export function quantile(sorted, share) {
  if (sorted.length === 0) return null;
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * share) - 1))];
}

export const ascending = (list) => list.filter((n) => !missing(n)).sort((a, b) => a - b);

/** RFC 4180; a cell that a spreadsheet would run as a formula is kept a text. */
export function csv(columns, rows) {
  const cell = (value) => {
    let text = value === null || value === undefined ? "" : String(value);
    if (/^[=+\-@\t\r]/.test(text) && !/^-?[\d.]+$/.test(text)) text = `'${text}`;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

export function download(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
