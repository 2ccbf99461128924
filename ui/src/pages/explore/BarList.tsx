import type { Metric } from "@/api/types";
import { exact, measured, percent } from "@/state/format";
import { metricWord } from "@/state/metric";
import { shareOf, type Group, type Result } from "./result";

interface Props {
  result: Result;
  metric: Metric;
  onOnly: (group: Group) => void;
}

/** The groups as bars, longest first: a list that can be read and clicked. */
export function BarList({ result, metric, onOnly }: Props) {
  const largest = Math.max(...result.groups.map((group) => group.numbers[0] ?? 0), 0) || 1;
  const unit = result.units[0] ?? null;
  return (
    <ul className="tk-bars" aria-label={metricWord(metric)}>
      {result.groups.map((group) => {
        const value = group.numbers[0] ?? null;
        const share = shareOf(group, result, metric);
        return (
          <li key={group.key}>
            {!group.isOther ? <button type="button" className="tk-plain tk-name tk-bars-name" title="Only this" onClick={() => onOnly(group)}>{group.label}</button> : <span className="tk-bars-name tk-dim">{group.label}</span>}
            <span className="tk-bars-track" aria-hidden="true"><span style={{ width: `${((value ?? 0) / largest) * 100}%`, background: group.isOther ? "var(--tk-other)" : "var(--tk-s0)" }} /></span>
            <span className="tk-num tk-bars-value" title={value === null ? "" : exact(value)}>{measured(value, unit)}</span>
            <span className="tk-num tk-dim tk-bars-share">{share === null ? "" : percent(share)}</span>
          </li>
        );
      })}
    </ul>
  );
}
