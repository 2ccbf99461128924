import { useMemo } from "react";
import { useAnswer, type Answer } from "@/api/queries";
import type { Leaf } from "@/api/types";
import { TimeChart } from "@/charts/TimeChart";
import type { ChartData } from "@/charts/model";
import { Skeleton } from "@/components/bits";
import { add, buckets } from "@/state/calendar";
import { exact, measured, percent } from "@/state/format";
import { autoInterval, type Range } from "@/state/range";

const CLASSES = [
  { key: "2", label: "2xx", color: "--tk-c2" },
  { key: "3", label: "3xx", color: "--tk-c3" },
  { key: "4", label: "4xx", color: "--tk-c4" },
  { key: "5", label: "5xx", color: "--tk-c5" },
  { key: "0", label: "other", color: "--tk-c0" },
];

interface Props {
  application: string | null;
  range: Range;
  zone: string;
  leaves: Leaf[];
  onZoom: (from: number, to: number) => void;
}

/** How the requests of the list spread over its time, by status class. Drag to zoom. */
export function Histogram({ application, range, zone, leaves, onZoom }: Props) {
  const interval = autoInterval(range);
  const answer = useAnswer({ application, range, zone, interval, metrics: [{ fn: "count" }], groups: ["response.status"], leaves, limit: 60 }, application !== null);
  const found = useMemo(() => (answer.data ? histogramOf(answer.data, zone, range.endsNow) : null), [answer.data, zone, range.endsNow]);
  if (!found) return <div className="tk-card tk-histogram">{!answer.isError && <Skeleton height={128} />}</div>;
  return (
    <div className="tk-card tk-histogram">
      <TimeChart label="Requests over time" data={found.data} height={124} onZoom={onZoom}>
        <span className="tk-histogram-total"><b className="tk-num" title={exact(found.total)}>{measured(found.total, null)}</b> requests</span>
        {found.classes.map((c) => (
          <span key={c.key} className="tk-histogram-class">
            <span className="tk-swatch" style={{ background: `var(${c.color})` }} /> {c.label} <span className="tk-num tk-dim">{percent(c.count / Math.max(found.total, 1))}</span>
          </span>
        ))}
      </TimeChart>
    </div>
  );
}

export function histogramOf(answer: Answer, zone: string, endsNow: boolean) {
  const { from, to, interval } = answer.asked;
  const unit = interval ?? "hour";
  const starts = buckets(from, to, unit, zone);
  const place = new Map(starts.map((start, index) => [start, index]));
  const counts = new Map(CLASSES.map((c) => [c.key, starts.map(() => 0)]));
  for (const [time, status, count] of answer.rows) {
    const at = place.get(Date.parse(String(time)));
    const key = String(Math.floor(Number(status ?? 0) / 100));
    const row = counts.get(key) ?? counts.get("0");
    if (at !== undefined && row) row[at] = (row[at] ?? 0) + Number(count ?? 0);
  }
  const sum = (key: string) => (counts.get(key) ?? []).reduce((a, b) => a + b, 0);
  const classes = CLASSES.map((c) => ({ ...c, count: sum(c.key) })).filter((c) => c.count > 0);
  const last = starts[starts.length - 1] ?? from;
  const data: ChartData = {
    starts, end: add(last, unit, 1, zone), interval: unit, zone, kind: "stack", unit: null, isPartial: endsNow, isCut: from - (starts[0] ?? from) > 1000,
    series: classes.map((c) => ({ key: c.key, label: c.label, color: c.color, values: counts.get(c.key) ?? [] })),
  };
  return { data, classes, total: classes.reduce((total, c) => total + c.count, 0) };
}
