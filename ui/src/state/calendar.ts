/** Calendar arithmetic in a named zone with nothing but `Intl`; the server does the same for its buckets. */
import type { Interval } from "@/api/types";

export interface Wall {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function partsFormat(zone: string): Intl.DateTimeFormat {
  let found = formats.get(zone);
  if (!found) {
    found = new Intl.DateTimeFormat("en-US", {
      timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit",
      hour: "2-digit", minute: "2-digit", second: "2-digit",
    });
    formats.set(zone, found);
  }
  return found;
}

/** What a clock on the wall in `zone` shows at `instant` (milliseconds). */
export function wall(instant: number, zone: string): Wall {
  const found: Record<string, number> = {};
  for (const part of partsFormat(zone).formatToParts(instant)) found[part.type] = Number(part.value);
  return {
    year: found.year ?? 0, month: found.month ?? 1, day: found.day ?? 1,
    hour: found.hour ?? 0, minute: found.minute ?? 0, second: found.second ?? 0,
  };
}

const asUtc = (w: Wall) => Date.UTC(w.year, w.month - 1, w.day, w.hour, w.minute, w.second);

/** The instant at which the wall clock in `zone` shows `w`; a skipped hour moves forward. */
export function instantOf(w: Partial<Wall> & { year: number }, zone: string): number {
  const wanted = asUtc({ month: 1, day: 1, hour: 0, minute: 0, second: 0, ...w });
  let guess = wanted;
  // Two rounds settle every zone: the first finds the offset, the second the offset on the far side of a change.
  for (let round = 0; round < 2; round += 1) guess += wanted - asUtc(wall(guess, zone));
  return guess;
}

/** The start of the minute, hour, day, ISO week or month in `zone` that holds `instant`. */
export function floor(instant: number, unit: Interval | "year", zone: string): number {
  const w = wall(instant, zone);
  if (unit === "minute") return Math.floor(instant / 60_000) * 60_000;
  if (unit === "hour") return instant - (instant % 1000) - (w.minute * 60 + w.second) * 1000;
  if (unit === "day") return instantOf({ year: w.year, month: w.month, day: w.day }, zone);
  if (unit === "month") return instantOf({ year: w.year, month: w.month }, zone);
  if (unit === "year") return instantOf({ year: w.year }, zone);
  const weekday = (new Date(Date.UTC(w.year, w.month - 1, w.day)).getUTCDay() + 6) % 7;
  return instantOf({ year: w.year, month: w.month, day: w.day - weekday }, zone);
}

/** `instant` moved by `count` units; days and longer keep the wall clock, minutes and hours the distance. */
export function add(instant: number, unit: Interval | "year", count: number, zone: string): number {
  if (unit === "minute") return instant + count * 60_000;
  if (unit === "hour") return instant + count * 3_600_000;
  const w = wall(instant, zone);
  if (unit === "day") return instantOf({ ...w, day: w.day + count }, zone);
  if (unit === "week") return instantOf({ ...w, day: w.day + 7 * count }, zone);
  const months = unit === "year" ? 12 * count : count;
  const last = new Date(Date.UTC(w.year, w.month - 1 + months + 1, 0)).getUTCDate();
  return instantOf({ ...w, month: w.month + months, day: Math.min(w.day, last) }, zone);
}

/** Starts of all buckets that touch `[from, to)`. */
export function buckets(from: number, to: number, unit: Interval, zone: string): number[] {
  const found: number[] = [];
  for (let at = floor(from, unit, zone); at < to && found.length < 5000; at = add(at, unit, 1, zone)) found.push(at);
  return found;
}

/** Whether the browser knows this zone. */
export function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

export const browserZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
