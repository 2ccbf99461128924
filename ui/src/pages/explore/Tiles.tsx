import type { Metric } from "@/api/types";
import { exact, measured } from "@/state/format";
import { metricWord } from "@/state/metric";
import type { Result } from "./result";

/** Without a group there is one number for each metric, so it is shown large. */
export function Tiles({ result, metrics }: { result: Result; metrics: Metric[] }) {
  return (
    <dl className="tk-tiles">
      {metrics.map((metric, index) => {
        const value = result.totals[index] ?? null;
        return (
          <div key={metricWord(metric)}>
            <dt>{metricWord(metric)}</dt>
            <dd className="tk-num" title={value === null ? "" : exact(value)}>{measured(value, result.units[index] ?? null)}</dd>
          </div>
        );
      })}
    </dl>
  );
}
