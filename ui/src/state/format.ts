/** Numbers and times as people read them. Times always belong to a zone that is shown nearby. */
import type { Interval } from "@/api/types";

const LOCALE = "en-US";
const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const exactly = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 3 });
const compacted = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumSignificantDigits: 3 });

export const exact = (value: number): string => exactly.format(value);
/** As many digits as fit a table; the rest is on hover. */
const plain = (value: number): string => (Math.abs(value) < 1_000_000 ? exactly.format(round(value)) : compacted.format(value));
export const compact = (value: number): string => (Math.abs(value) < 10_000 ? exactly.format(round(value)) : compacted.format(value));

function round(value: number): number {
  const size = Math.abs(value);
  return size >= 100 ? Math.round(value) : size >= 10 ? Math.round(value * 10) / 10 : Math.round(value * 100) / 100;
}

export function bytes(value: number): string {
  if (value < 1000) return `${whole.format(value)} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let size = value / 1000;
  let at = 0;
  for (; size >= 999.5 && at < units.length - 1; at += 1) size /= 1000;
  return `${exactly.format(round(size))} ${units[at]}`;
}

export function milliseconds(value: number): string {
  if (value >= 60_000) return `${exactly.format(round(value / 60_000))} min`;
  if (value >= 1000) return `${exactly.format(round(value / 1000))} s`;
  if (value >= 1 || value === 0) return `${exactly.format(round(value))} ms`;
  return `${exactly.format(round(value * 1000))} µs`;
}

/** A value with the unit that the server named for its column. */
export function measured(value: number | null, unit: string | null): string {
  if (value === null || Number.isNaN(value)) return "–";
  if (unit === "ms") return milliseconds(value);
  if (unit === "bytes") return bytes(value);
  if (unit === "ratio") return percent(value);
  if (unit === "calls/s") return `${compact(value)}/s`;
  return plain(value);
}

export function percent(share: number): string {
  const value = share * 100;
  if (value > 0 && value < 0.1) return "<0.1%";
  // One decimal for all small shares, so that a column of them is in line.
  return value === 0 || Math.abs(value) >= 9.95 ? `${exactly.format(Math.round(value))}%` : `${value.toFixed(1)}%`;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = zone + JSON.stringify(options);
  let found = formats.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat(LOCALE, { timeZone: zone, hourCycle: "h23", ...options });
    formats.set(key, found);
  }
  return found;
}

const TIME: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit" };
const DAY: Intl.DateTimeFormatOptions = { month: "short", day: "numeric" };

export const clock = (at: number, zone: string): string => format(zone, { ...TIME, second: "2-digit" }).format(at);
export const clockMs = (at: number, zone: string): string => format(zone, { ...TIME, second: "2-digit", fractionalSecondDigits: 3 }).format(at);
export const hourMinute = (at: number, zone: string): string => format(zone, TIME).format(at);
export const day = (at: number, zone: string): string => format(zone, DAY).format(at);
export const dayClock = (at: number, zone: string): string => `${day(at, zone)}, ${clock(at, zone)}`;
export const full = (at: number, zone: string): string =>
  format(zone, { weekday: "short", year: "numeric", month: "short", day: "numeric", ...TIME, second: "2-digit", fractionalSecondDigits: 3 }).format(at);
export const isoDay = (at: number, zone: string): string => format(zone, { year: "numeric" }).format(at) + "-" + format(zone, { month: "2-digit" }).format(at) + "-" + format(zone, { day: "2-digit" }).format(at);

/** The name of a bucket as a heading: exact enough for its length. */
export function bucket(at: number, interval: Interval, zone: string): string {
  if (interval === "minute" || interval === "hour") return `${format(zone, { weekday: "short", ...DAY }).format(at)}, ${hourMinute(at, zone)}`;
  if (interval === "month") return format(zone, { month: "long", year: "numeric" }).format(at);
  const name = format(zone, { weekday: "short", ...DAY, year: "numeric" }).format(at);
  return interval === "week" ? `Week of ${name}` : name;
}

/** “12 s ago”. */
export function ago(at: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - at) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} d ago`;
}

/** A short word for the zone: “UTC”, “GMT+1”, “EST”. */
export function zoneShort(zone: string, at = Date.now()): string {
  const part = format(zone, { timeZoneName: "short" }).formatToParts(at).find((p) => p.type === "timeZoneName");
  return part?.value ?? zone;
}
