import { SegmentedControl, Select } from "@mantine/core";
import { ChartNoAxesColumn, ChartBarBig, Plus, Table2, X } from "lucide-react";
import type { Interval, Metric } from "@/api/types";
import { fieldWord, formatMetrics, functionWord, metricWord } from "@/state/metric";
import { tooFine, type Range } from "@/state/range";
import type { View } from "@/state/view";
import { FieldPicker } from "./FieldPicker";
import { MetricPicker } from "./MetricPicker";

interface Props {
  metrics: Metric[];
  groups: string[];
  interval: Interval;
  isAuto: boolean;
  shape: string;
  range: Range;
  onChange: (patch: Partial<View>) => void;
}

const INTERVALS: Interval[] = ["minute", "hour", "day", "week", "month"];
const SHAPES = [
  { value: "line", label: "Time series", icon: ChartNoAxesColumn },
  { value: "bars", label: "Bars", icon: ChartBarBig },
  { value: "table", label: "Table", icon: Table2 },
];

/** The question as a sentence: show this, by that, every so often. */
export function Builder({ metrics, groups, interval, isAuto, shape, range, onChange }: Props) {
  const setMetrics = (next: Metric[]) => onChange({ m: formatMetrics(next) });
  const setGroups = (next: string[]) => onChange({ by: next.length > 0 ? next.join(",") : undefined, m: formatMetrics(metrics) });
  return (
    <section className="tk-card tk-builder" aria-label="Question">
      <div className="tk-builder-part">
        <span className="tk-builder-word">Show</span>
        {metrics.map((metric, index) => (
          <span key={`${metricWord(metric)}-${index}`} className="tk-token">
            <MetricPicker metric={metric} label={functionWord(metric).replace(/ of$/, "")} onPick={(next) => setMetrics(metrics.map((old, at) => (at === index ? next : old)))} />
            {metrics.length > 1 && <Remove name={metricWord(metric)} onRemove={() => setMetrics(metrics.filter((_, at) => at !== index))} />}
          </span>
        ))}
        {metrics.length < 6 && <MetricPicker metric={{ fn: "p95", field: "duration_ms" }} label={null} onPick={(next) => setMetrics([...metrics, next])} />}
      </div>
      <div className="tk-builder-part">
        <span className="tk-builder-word">by</span>
        {groups.map((group) => (
          <span key={group} className="tk-token">
            <span className="tk-token-words">{fieldWord(group)}</span>
            <Remove name={fieldWord(group)} onRemove={() => setGroups(groups.filter((old) => old !== group))} />
          </span>
        ))}
        {groups.length < 4 && (
          <FieldPicker
            label="Add a group" kind="any" onPick={(field) => setGroups([...groups.filter((old) => old !== field), field])}
            target={(open) => <button type="button" className="tk-token-add" onClick={open} aria-label="Add a group"><Plus size={14} aria-hidden="true" />{groups.length === 0 ? "anything" : ""}</button>}
          />
        )}
      </div>
      {shape === "line" && (
        <div className="tk-builder-part">
          <span className="tk-builder-word">every</span>
          <Select
            aria-label="Interval" size="xs" w={118} allowDeselect={false} checkIconPosition="right" value={isAuto ? "auto" : interval}
            data={[{ value: "auto", label: `auto (${isAuto ? interval : "…"})` }, ...INTERVALS.map((value) => ({ value, label: value, disabled: tooFine(range, value) }))]}
            onChange={(value) => onChange({ every: value === "auto" || value === null ? undefined : value })}
          />
        </div>
      )}
      <SegmentedControl
        className="tk-shapes" size="xs" aria-label="View as" value={shape} onChange={(value) => onChange({ view: value === "line" ? undefined : value })}
        data={SHAPES.map(({ value, label, icon: Icon }) => ({ value, label: <span className="tk-shape"><Icon size={14} aria-hidden="true" />{label}</span> }))}
      />
    </section>
  );
}

function Remove({ name, onRemove }: { name: string; onRemove: () => void }) {
  return <button type="button" className="tk-chip-x" aria-label={`Remove ${name}`} onClick={onRemove}><X size={13} aria-hidden="true" /></button>;
}
