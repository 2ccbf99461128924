/** The two answers behind a view (totals by group, and the same over time) as one thing to draw. */
import type { Answer } from "@/api/queries";
import type { Column, Leaf, Metric, Scalar } from "@/api/types";
import { COLORS, OTHER_COLOR, statusColors, type ChartData } from "@/charts/model";
import { add, buckets } from "@/state/calendar";
import { groupWord, isSummable, metricWord } from "@/state/metric";

export interface Group {
  key: string;
  label: string;
  color: string;
  values: Scalar[];
  isOther: boolean;
  numbers: (number | null)[];
}

export interface Result {
  groups: Group[];
  totals: (number | null)[];
  units: (string | null)[];
  rowsRead: number;
  elapsedMs: number;
  asOf: string | null;
}

const numberOf = (value: Scalar | undefined): number | null => (value === null || value === undefined ? null : Number(value));

/** Counts need no unit beside them; the heading says what they are. */
const unitOf = (column: Column | undefined): string | null => (column?.unit === "calls" ? null : (column?.unit ?? null));

export function resultOf(answer: Answer, fields: string[], metrics: Metric[]): Result {
  const at = fields.length;
  const groups = answer.rows.map((row): Group => {
    const values = row.slice(0, at);
    const isOther = at > 0 && values.every((value) => value === null);
    return {
      key: JSON.stringify(values), values, isOther,
      label: at === 0 ? metricWord(metrics[0] ?? { fn: "count" }) : isOther ? "Other" : values.map((value, i) => groupWord(fields[i] ?? "", value)).join(" · "),
      color: OTHER_COLOR,
      numbers: metrics.map((_, i) => numberOf(row[at + i])),
    };
  });
  // Other is always last, however large it is: it is not one of the things compared.
  groups.sort((a, b) => Number(a.isOther) - Number(b.isOther));
  const isStatus = fields.length === 1 && fields[0] === "response.status";
  const colors = isStatus ? statusColors(groups.map((group) => Number(group.values[0] ?? 0))) : COLORS;
  groups.forEach((group, rank) => {
    if (!group.isOther) group.color = colors[rank % colors.length] ?? OTHER_COLOR;
  });
  return {
    groups,
    totals: answer.totals.slice(-metrics.length).map(numberOf),
    units: metrics.map((_, i) => unitOf(answer.columns[at + i])),
    rowsRead: answer.statistics.rows_read, elapsedMs: answer.statistics.elapsed_ms, asOf: answer.statistics.as_of,
  };
}

/** The first metric of each group over time. A bucket without calls is a zero for sums and a gap for the rest. */
export function chartOf(series: Answer, result: Result, fields: string[], metric: Metric, zone: string, endsNow: boolean): ChartData {
  const unit = series.asked.interval ?? "hour";
  const known = series.rows.map((row) => Date.parse(String(row[0])));
  const starts = [...new Set([...buckets(series.asked.from, series.asked.to, unit, zone), ...known])].sort((a, b) => a - b);
  const place = new Map(starts.map((start, index) => [start, index]));
  const empty = isSummable(metric) ? 0 : null;
  const lines = new Map(result.groups.map((group) => [group.key, starts.map((): number | null => empty)]));
  series.rows.forEach((row, index) => {
    const line = lines.get(JSON.stringify(row.slice(1, 1 + fields.length)));
    const at = place.get(known[index] ?? NaN);
    if (line && at !== undefined) line[at] = numberOf(row[1 + fields.length]);
  });
  const last = starts[starts.length - 1] ?? series.asked.from;
  return {
    starts, end: add(last, unit, 1, zone), interval: unit, zone, unit: result.units[0] ?? null, isPartial: endsNow, isCut: series.asked.from - (starts[0] ?? 0) > 1000,
    kind: isSummable(metric) ? "stack" : "lines",
    series: ordered(result.groups, fields).map((group) => ({ key: group.key, label: group.label, color: group.color, values: lines.get(group.key) ?? [] })),
  };
}

/** Statuses are stacked by their number, so that a class stays together; all else by size. */
function ordered(groups: Group[], fields: string[]): Group[] {
  if (fields.length !== 1 || fields[0] !== "response.status") return groups;
  const rank = (group: Group) => (group.isOther ? Infinity : Number(group.values[0] ?? 0) || 999);
  return [...groups].sort((a, b) => rank(a) - rank(b));
}

/** The filter that leaves only this group. */
export function leavesOf(group: Group, fields: string[]): Leaf[] {
  return fields.map((field, index) => ({ field, op: "eq", value: group.values[index] ?? "" }));
}

export const shareOf = (group: Group, result: Result, metric: Metric): number | null => {
  const total = result.totals[0];
  const value = group.numbers[0];
  return isSummable(metric) && total && value !== null && value !== undefined ? value / total : null;
};
