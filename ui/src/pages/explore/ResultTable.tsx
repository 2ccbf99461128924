import { Link } from "@tanstack/react-router";
import { ArrowDown, List } from "lucide-react";
import type { Metric } from "@/api/types";
import { formatFilter, parseFilter, withLeaf } from "@/state/filter";
import { exact, measured, percent } from "@/state/format";
import { fieldWord, formatMetrics, isSummable, metricWord } from "@/state/metric";
import { leavesOf, shareOf, type Group, type Result } from "./result";

interface Props {
  result: Result;
  groups: string[];
  metrics: Metric[];
  onOnly: (group: Group) => void;
  onHighlight: (key: string | null) => void;
  /** Another metric becomes the one that is drawn and sorted by. */
  onFirst: (m: string) => void;
}

/** The legend of the chart and the numbers themselves: a click on a name narrows the view to it. */
export function ResultTable({ result, groups, metrics, onOnly, onHighlight, onFirst }: Props) {
  const first = metrics[0] ?? { fn: "count" };
  const hasShare = isSummable(first);
  return (
    <div className="tk-result-scroll" role="region" aria-label="Numbers" tabIndex={0}>
      <table className="tk-table tk-result-table">
        <thead>
          <tr>
            <th scope="col">{groups.map(fieldWord).join(" · ")}</th>
            {metrics.map((metric, index) => (
              <th key={index} scope="col" className="tk-right" aria-sort={index === 0 ? "descending" : undefined}>
                {index === 0 ? <>{metricWord(metric)} <ArrowDown size={12} aria-hidden="true" /></> : (
                  <button type="button" className="tk-plain tk-sort" title="Draw and sort by this" onClick={() => onFirst(formatMetrics([metric, ...metrics.filter((_, at) => at !== index)]))}>{metricWord(metric)}</button>
                )}
              </th>
            ))}
            {hasShare && <th scope="col" className="tk-right tk-col-share">Share</th>}
            <th scope="col" className="tk-col-behind"><span className="tk-hidden">Requests</span></th>
          </tr>
        </thead>
        <tbody onMouseLeave={() => onHighlight(null)}>
          {result.groups.map((group) => (
            <tr key={group.key} onMouseEnter={() => onHighlight(group.key)}>
              <th scope="row">
                <span className="tk-swatch" style={{ background: `var(${group.color})` }} aria-hidden="true" />
                {!group.isOther ? <button type="button" className="tk-plain tk-name" title="Only this" onFocus={() => onHighlight(group.key)} onBlur={() => onHighlight(null)} onClick={() => onOnly(group)}>{group.label}</button> : <span className="tk-dim">{group.label}</span>}
              </th>
              {group.numbers.map((value, index) => <td key={index} className="tk-num tk-right" title={value === null ? "" : exact(value)}>{measured(value, result.units[index] ?? null)}</td>)}
              {hasShare && <Share share={shareOf(group, result, first)} color={group.color} />}
              <td className="tk-right">{!group.isOther && <Behind group={group} groups={groups} />}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">{hasShare ? "Total" : "All"}</th>
            {metrics.map((_, index) => <td key={index} className="tk-num tk-right" title={exact(result.totals[index] ?? 0)}>{measured(result.totals[index] ?? null, result.units[index] ?? null)}</td>)}
            {hasShare && <td className="tk-num tk-right">100%</td>}
            <td />
          </tr>
        </tfoot>
      </table>
    </div>
  );
}

function Share({ share, color }: { share: number | null; color: string }) {
  return (
    <td className="tk-num tk-right tk-col-share">
      <span className="tk-share"><span className="tk-share-bar" aria-hidden="true"><span style={{ width: `${(share ?? 0) * 100}%`, background: `var(${color})` }} /></span><span className="tk-share-words">{share === null ? "–" : percent(share)}</span></span>
    </td>
  );
}

/** The requests that this number counts. */
function Behind({ group, groups }: { group: Group; groups: string[] }) {
  const search = (old: Record<string, string | undefined>) => ({
    app: old.app, range: old.range, tz: old.tz, f: formatFilter(leavesOf(group, groups).reduce(withLeaf, parseFilter(old.f ?? "").leaves)),
  });
  return <Link to="/requests" search={search} className="tk-icon-button" aria-label={`Requests of ${group.label}`} title="The requests behind this number"><List size={14} aria-hidden="true" /></Link>;
}
