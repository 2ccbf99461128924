/** The time range as people type it: `45m`, `7d`, `mtd`, `last month`, `since monday`, `2026-11-01..2026-11-07`. */
import type { Interval } from "@/api/types";
import { add, floor, instantOf, wall } from "./calendar";

export interface Range {
  text: string;
  /** Sliding moves with the clock, growing has a fixed start, fixed is over. */
  kind: "sliding" | "growing" | "fixed";
  from: number;
  to: number;
  endsNow: boolean;
  label: string;
}

export const DEFAULT_RANGE = "24h";

export const PRESETS: { text: string; label: string; key?: string }[] = [
  { text: "15m", label: "Past 15 minutes" },
  { text: "1h", label: "Past hour" },
  { text: "6h", label: "Past 6 hours" },
  { text: "24h", label: "Past 24 hours", key: "1" },
  { text: "7d", label: "Past 7 days", key: "7" },
  { text: "30d", label: "Past 30 days", key: "3" },
  { text: "today", label: "Today" },
  { text: "mtd", label: "Month to date", key: "m" },
  { text: "last month", label: "Last month" },
];

const UNIT_MS: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const UNIT_NAME: Record<string, string> = { m: "minute", h: "hour", d: "day", w: "week" };
const WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/** The range that `text` means at `now`, or null when it means nothing. */
export function parseRange(text: string, now: number, zone: string): Range | null {
  const wish = text.trim().toLowerCase();
  return sliding(wish, now) ?? named(wish, now, zone) ?? since(wish, now, zone) ?? absolute(wish, now, zone);
}

function sliding(wish: string, now: number): Range | null {
  const found = /^(?:past\s+)?(\d{1,5})\s*(m|min|minutes?|h|hours?|d|days?|w|weeks?)$/.exec(wish);
  const unit = found?.[2]?.[0];
  const count = Number(found?.[1]);
  if (!unit || !(count > 0) || count * (UNIT_MS[unit] ?? 0) > 10 * 365 * 86_400_000) return null;
  const name = UNIT_NAME[unit] ?? "";
  const label = count === 1 ? `Past ${name}` : `Past ${count} ${name}s`;
  return { text: `${count}${unit}`, kind: "sliding", from: now - count * (UNIT_MS[unit] ?? 0), to: now, endsNow: true, label };
}

function named(wish: string, now: number, zone: string): Range | null {
  const growing = (unit: "day" | "week" | "month" | "year", label: string): Range =>
    ({ text: wish, kind: "growing", from: floor(now, unit, zone), to: now, endsNow: true, label });
  const last = (unit: "day" | "week" | "month", label: string): Range => {
    const to = floor(now, unit, zone);
    return { text: wish, kind: "fixed", from: add(to, unit, -1, zone), to, endsNow: false, label };
  };
  if (wish === "today") return growing("day", "Today");
  if (wish === "wtd" || wish === "this week") return growing("week", "Week to date");
  if (wish === "mtd" || wish === "this month") return growing("month", "Month to date");
  if (wish === "ytd" || wish === "this year") return growing("year", "Year to date");
  if (wish === "yesterday") return last("day", "Yesterday");
  if (wish === "last week") return last("week", "Last week");
  if (wish === "last month") return last("month", "Last month");
  return null;
}

function since(wish: string, now: number, zone: string): Range | null {
  const start = /^since\s+(.+)$/.exec(wish)?.[1];
  if (!start) return null;
  const weekday = WEEKDAYS.indexOf(start);
  const monday = floor(now, "week", zone);
  const found = weekday < 0 ? point(start, zone)?.start : add(monday, "day", weekday, zone);
  if (found === undefined) return null;
  const from = found > now && weekday >= 0 ? add(found, "week", -1, zone) : found;
  if (from >= now) return null;
  return { text: wish, kind: "growing", from, to: now, endsNow: true, label: `Since ${stamp(from, zone)}` };
}

function absolute(wish: string, now: number, zone: string): Range | null {
  const [a, b, ...more] = wish.split("..").map((part) => part.trim());
  if (!a || more.length > 0) return null;
  const start = point(a, zone);
  const end = b === undefined ? start : b === "" || b === "now" ? { start: now, end: now } : point(b, zone);
  if (!start || !end || end.end <= start.start) return null;
  const endsNow = b === "" || b === "now";
  const label = `${stamp(start.start, zone)} – ${endsNow ? "now" : stamp(end.end, zone, b === undefined ? a : b)}`;
  return { text: wish, kind: endsNow ? "growing" : "fixed", from: start.start, to: end.end, endsNow, label };
}

/** A day is a stretch (its end is the next midnight), a time of day is a point. */
function point(text: string, zone: string): { start: number; end: number } | null {
  const found = /^(\d{4})-(\d{2})(?:-(\d{2}))?(?:[t ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?(z)?)?$/i.exec(text);
  if (!found) return null;
  const [, year, month, day, hour, minute, second, utc] = found;
  const w = { year: Number(year), month: Number(month), day: Number(day ?? 1) };
  if (w.month < 1 || w.month > 12 || w.day < 1 || w.day > 31) return null;
  if (hour === undefined) {
    const start = instantOf(w, zone);
    return { start, end: add(start, day === undefined ? "month" : "day", 1, zone) };
  }
  const at = instantOf({ ...w, hour: Number(hour), minute: Number(minute), second: Number(second ?? 0) }, utc ? "UTC" : zone);
  return { start: at, end: at };
}

/** Short and exact: the day alone at midnight. A typed last day is shown as typed, since its end is the next midnight. */
function stamp(instant: number, zone: string, typed?: string): string {
  if (typed && /^\d{4}-\d{2}-\d{2}$/.test(typed)) return typed;
  const w = wall(instant, zone);
  const two = (n: number) => String(n).padStart(2, "0");
  const day = `${w.year}-${two(w.month)}-${two(w.day)}`;
  return w.hour + w.minute + w.second === 0 ? day : `${day} ${two(w.hour)}:${two(w.minute)}`;
}

/** The fixed range between two instants, as text for the URL. */
export function fixedText(from: number, to: number): string {
  const iso = (instant: number) => new Date(Math.round(instant / 1000) * 1000).toISOString().slice(0, 19).replace(/:00$/, "") + "z";
  return `${iso(from)}..${iso(to)}`.toLowerCase();
}

/** `range` moved by its own length, or doubled around its middle. */
export function shifted(range: Range, windows: number, now: number): string {
  const length = range.to - range.from;
  const to = Math.min(range.to + windows * length, now);
  return fixedText(to - length, to);
}

export function zoomedOut(range: Range, now: number): string {
  const length = range.to - range.from;
  const to = Math.min(range.to + length / 2, now);
  return fixedText(to - 2 * length, to);
}

/** How the API wants it: relative stays relative, so that the server's clock decides. */
export function apiRange(range: Range): { from: string; to: string } {
  const slide = /^(\d+)([mhdw])$/.exec(range.text);
  const to = range.endsNow ? "now" : new Date(range.to).toISOString();
  if (range.kind === "sliding" && slide) {
    return { from: slide[2] === "w" ? `-${Number(slide[1]) * 7}d` : `-${slide[1]}${slide[2]}`, to };
  }
  return { from: new Date(range.from).toISOString(), to };
}

/** The interval that gives a readable number of buckets. */
export function autoInterval(range: Range): Interval {
  const hours = (range.to - range.from) / 3_600_000;
  if (hours <= 3.01) return "minute";
  if (hours <= 24 * 8) return "hour";
  if (hours <= 24 * 200) return "day";
  return hours <= 24 * 800 ? "week" : "month";
}

/** Whether an interval of this length is too fine to draw for the range. */
export function tooFine(range: Range, interval: Interval): boolean {
  const length = { minute: 60_000, hour: 3_600_000, day: 86_400_000, week: 604_800_000, month: 2_592_000_000 }[interval];
  return (range.to - range.from) / length > 1500;
}
