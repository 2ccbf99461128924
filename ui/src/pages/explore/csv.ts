import type { ChartData } from "@/charts/model";
import type { Metric } from "@/api/types";
import { isoDay } from "@/state/format";
import { fieldWord, formatMetric } from "@/state/metric";
import type { Range } from "@/state/range";
import type { Result } from "./result";

type Cell = string | number | null;

/** A text that begins like a formula would run in a spreadsheet; a leading apostrophe keeps it text. */
export function cell(value: Cell): string {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

export const csv = (rows: Cell[][]): string => rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";

/** Exactly the table on the screen. */
export function tableCsv(result: Result, fields: string[], metrics: Metric[]): string {
  const head = [...fields.map(fieldWord), ...metrics.map(formatMetric)];
  const rows = result.groups.map((group) => [...(group.isOther ? fields.map((_, i) => (i === 0 ? "Other" : "")) : group.values.map((v) => (v === null ? "" : String(v)))), ...group.numbers]);
  return csv([head, ...rows]);
}

/** Exactly the chart on the screen: a row for each bucket, ISO 8601 with offset. */
export function chartCsv(data: ChartData): string {
  const head = ["time", ...data.series.map((series) => series.label)];
  return csv([head, ...data.starts.map((start, index) => [new Date(start).toISOString(), ...data.series.map((series) => series.values[index] ?? null)])]);
}

export function download(text: string, name: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

export const csvName = (range: Range, zone: string): string =>
  `explore_${isoDay(range.from, zone)}_${isoDay(range.to, zone)}_${zone.replace(/\//g, "-")}.csv`;
