/** What a time chart shows, free of any drawing: shapes, stacking, words. */
import type { Interval } from "@/api/types";
import { bucket, measured } from "@/state/format";

export interface Series {
  key: string;
  label: string;
  /** A CSS variable of the palette, e.g. `--tk-s0`. */
  color: string;
  values: (number | null)[];
}

export interface ChartData {
  /** Starts of the buckets and, last, the end of the last one (milliseconds). */
  starts: number[];
  end: number;
  interval: Interval;
  zone: string;
  series: Series[];
  kind: "stack" | "lines";
  unit: string | null;
  /** The last bucket is still filling. */
  isPartial: boolean;
  /** The range begins inside the first bucket, so that it holds only a part. */
  isCut: boolean;
}

export const COLORS = Array.from({ length: 10 }, (_, index) => `--tk-s${index}`);
export const OTHER_COLOR = "--tk-other";

/** Shades of a status class: what goes wrong is red wherever it is shown. */
const STATUS_COLORS: Record<string, string[]> = {
  "2": ["--tk-c2", "--tk-c2b", "--tk-c2c"], "3": ["--tk-c3", "--tk-c3b"],
  "4": ["--tk-c4", "--tk-c4b", "--tk-c4c", "--tk-c4d"], "5": ["--tk-c5", "--tk-c5b", "--tk-c5c"],
};

/** One colour for each status, in the family of its class. */
export function statusColors(statuses: number[]): string[] {
  const used = new Map<string, number>();
  return statuses.map((status) => {
    const kind = String(Math.floor(status / 100));
    const shades = STATUS_COLORS[kind] ?? ["--tk-c0"];
    const count = used.get(kind) ?? 0;
    used.set(kind, count + 1);
    return shades[count % shades.length] ?? OTHER_COLOR;
  });
}

/** Running sums from the bottom series up; the top one is the total. */
export function stacked(series: Series[]): number[][] {
  const sums: number[][] = [];
  for (const [index, one] of series.entries()) {
    const below = sums[index - 1];
    sums.push(one.values.map((value, at) => (value ?? 0) + (below?.[at] ?? 0)));
  }
  return sums;
}

export interface Reading {
  title: string;
  rows: { key: string; label: string; color: string; text: string }[];
  total: string | null;
}

/** What stands at one bucket, largest first. */
export function readingAt(data: ChartData, index: number): Reading {
  const start = data.starts[index] ?? 0;
  const isLast = index === data.starts.length - 1;
  const rows = data.series
    .map((series) => ({ ...series, value: series.values[index] ?? null }))
    .filter((row) => row.value !== null && (data.kind === "lines" || row.value !== 0))
    .sort((a, b) => (b.value ?? 0) - (a.value ?? 0));
  const total = data.kind === "stack" && data.series.length > 1 ? rows.reduce((sum, row) => sum + (row.value ?? 0), 0) : null;
  return {
    title: bucket(start, data.interval, data.zone) + (isLast && data.isPartial ? " (so far)" : index === 0 && data.isCut ? " (in part)" : ""),
    rows: rows.map(({ key, label, color, value }) => ({ key, label, color, text: measured(value, data.unit) })),
    total: total === null ? null : measured(total, data.unit),
  };
}

/** One sentence for those who hear the chart. */
export function summary(label: string, data: ChartData): string {
  const count = data.starts.length;
  const first = data.starts[0];
  if (count === 0 || first === undefined || data.series.length === 0) return `${label}: no data.`;
  let peak = { value: -Infinity, at: 0 };
  const sums = data.kind === "stack" ? stacked(data.series) : data.series.map((series) => series.values);
  for (const values of data.kind === "stack" ? sums.slice(-1) : sums) {
    values.forEach((value, at) => {
      if (value !== null && value > peak.value) peak = { value, at };
    });
  }
  const names = data.series.length > 1 ? ` ${data.series.length} series: ${data.series.map((s) => s.label).join(", ")}.` : "";
  const high = peak.value === -Infinity ? "" : ` Highest ${measured(peak.value, data.unit)} at ${bucket(data.starts[peak.at] ?? first, data.interval, data.zone)}.`;
  return `${label}: ${count} ${data.interval}s from ${bucket(first, data.interval, data.zone)}, ${data.zone}.${names}${high}`;
}
