/** Metrics and groups as they stand in the URL: `count`, `p95(duration_ms)`, `unique(user)`. */
import type { Metric, Scalar } from "@/api/types";
import { canonical } from "./filter";

export interface FunctionWord {
  fn: string;
  label: string;
  /** Whether the function is about a field, and of which kind. */
  needs: "none" | "any" | "number";
}

export const FUNCTIONS: FunctionWord[] = [
  { fn: "count", label: "Calls", needs: "none" },
  { fn: "unique", label: "Unique", needs: "any" },
  { fn: "error_rate", label: "Error rate", needs: "none" },
  { fn: "rate", label: "Calls per second", needs: "none" },
  { fn: "sum", label: "Sum of", needs: "number" },
  { fn: "avg", label: "Average", needs: "number" },
  { fn: "min", label: "Minimum", needs: "number" },
  { fn: "max", label: "Maximum", needs: "number" },
  { fn: "p50", label: "Median", needs: "number" },
  { fn: "p75", label: "p75", needs: "number" },
  { fn: "p90", label: "p90", needs: "number" },
  { fn: "p95", label: "p95", needs: "number" },
  { fn: "p99", label: "p99", needs: "number" },
];

const SUMMABLE = new Set(["count", "sum", "rate"]);

export const needsOf = (fn: string): FunctionWord["needs"] => FUNCTIONS.find((f) => f.fn === fn)?.needs ?? "number";

/** Whether groups of this metric add up to the total, so that they may be stacked. */
export const isSummable = (metric: Metric): boolean => SUMMABLE.has(metric.fn);

export function parseMetrics(text: string | undefined): Metric[] {
  const found: Metric[] = [];
  for (const part of (text ?? "").match(/[a-z_0-9]+(?:\([^)]*\))?/gi) ?? []) {
    const match = /^([a-z_0-9]+)(?:\(([^)]*)\))?$/i.exec(part);
    const fn = match?.[1] ?? "";
    const field = match?.[2] ? canonical(match[2]) : undefined;
    if (!FUNCTIONS.some((f) => f.fn === fn)) continue;
    const metric = needsOf(fn) === "none" ? { fn } : field ? { fn, field } : null;
    if (metric && !found.some((known) => formatMetric(known) === formatMetric(metric))) found.push(metric);
  }
  return found.length > 0 ? found : [{ fn: "count" }];
}

export const formatMetric = (metric: Metric): string => (metric.field ? `${metric.fn}(${metric.field})` : metric.fn);
export const formatMetrics = (metrics: Metric[]): string => metrics.map(formatMetric).join(",");

export const parseGroups = (text: string | undefined): string[] =>
  (text ?? "").split(",").map((part) => canonical(part.trim())).filter((part) => part !== "");

const FIELD_WORDS: Record<string, string> = {
  user: "user", customer: "customer", credential: "credential", "request.route": "route", "request.method": "method",
  "response.status": "status", "request.host": "host", "request.path": "path", duration_ms: "duration", "request.bytes": "request size",
  "response.bytes": "response size", "request.ip": "IP address", "request.api_version": "API version", "request.uri": "URI",
  blocked_by: "blocked by", trace_id: "trace", received_at: "receive time",
};

export const fieldWord = (field: string): string => FIELD_WORDS[field] ?? field;

/** “p95 of duration”, “Calls”, “Unique users”. */
export function metricWord(metric: Metric): string {
  const fn = FUNCTIONS.find((f) => f.fn === metric.fn);
  if (!metric.field) return fn?.label ?? metric.fn;
  const field = fieldWord(metric.field);
  if (metric.fn === "unique") return `Unique ${field}${field.endsWith("s") ? "" : "s"}`;
  if (/^p\d/.test(metric.fn)) return `${metric.fn} ${field}`;
  return `${fn?.label ?? metric.fn} ${field}`;
}

/** The function alone, for where its field stands beside it. */
export const functionWord = (metric: Metric): string => FUNCTIONS.find((f) => f.fn === metric.fn)?.label ?? metric.fn;

/** The name of a group's value; an empty one says what is missing. */
export function groupWord(field: string, value: Scalar): string {
  if (value === null || value === "") return `(no ${fieldWord(field)})`;
  if (field === "response.status" && Number(value) === 0) return "no response";
  return String(value);
}
