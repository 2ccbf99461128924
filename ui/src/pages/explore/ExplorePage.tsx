import { useMemo, useState } from "react";
import { useAnswer } from "@/api/queries";
import type { Interval } from "@/api/types";
import { TimeChart } from "@/charts/TimeChart";
import { useApplication } from "@/components/ApplicationSwitch";
import { FilterBar } from "@/components/FilterBar";
import { RangePicker } from "@/components/RangePicker";
import { SampleNotice } from "@/components/SampleNotice";
import { PageHead } from "@/components/Shell";
import { Skeleton, Trouble } from "@/components/bits";
import { withLeaf } from "@/state/filter";
import { metricWord, parseGroups, parseMetrics } from "@/state/metric";
import { autoInterval, fixedText, tooFine } from "@/state/range";
import { useFilter, useRange, useView, useZone } from "@/state/view";
import { BarList } from "./BarList";
import { Builder } from "./Builder";
import { ResultFoot } from "./ResultFoot";
import { ResultTable } from "./ResultTable";
import { NothingFound } from "./NothingFound";
import { Tiles } from "./Tiles";
import { StarterCards, StarterMenu } from "./Starters";
import { chartOf, leavesOf, resultOf, type Group } from "./result";

/** One builder for every question: which number, by what, when. */
export function ExplorePage() {
  const application = useApplication();
  const range = useRange();
  const zone = useZone();
  const filter = useFilter();
  const { view, change } = useView();
  const [highlight, setHighlight] = useState<string | null>(null);

  const metrics = useMemo(() => parseMetrics(view.m), [view.m]);
  const groups = useMemo(() => parseGroups(view.by), [view.by]);
  const shape = view.view ?? "line";
  const wish = view.every as Interval | undefined;
  const interval = wish && !tooFine(range, wish) ? wish : autoInterval(range);
  const metric = useMemo(() => metrics[0] ?? { fn: "count" }, [metrics]);
  const isBlank = !view.m && !view.by;

  const shared = { application: application?.id ?? null, range, zone, groups, leaves: filter.leaves };
  const totals = useAnswer({ ...shared, interval: null, metrics }, application !== null);
  const series = useAnswer({ ...shared, interval, metrics: [metric] }, application !== null && shape === "line");

  // An answer kept on screen while the next one comes belongs to the old columns, so it is read only when it fits.
  const fits = totals.data?.columns.length === groups.length + metrics.length;
  const result = useMemo(() => (totals.data && fits ? resultOf(totals.data, groups, metrics) : null), [totals.data, fits, groups, metrics]);
  const chart = useMemo(
    () => (series.data && result && series.data.columns.length === groups.length + 2 ? chartOf(series.data, result, groups, metric, zone, range.endsNow) : null),
    [series.data, result, groups, metric, zone, range.endsNow],
  );
  const only = (group: Group) => filter.set(leavesOf(group, groups).reduce(withLeaf, filter.leaves));
  const error = totals.error ?? (shape === "line" ? series.error : null);
  const title = `${metricWord(metric)}${groups.length > 0 ? ` by ${groups.map((g) => g.replace(/^request\.|^response\./, "")).join(", ")}` : ""}`;
  const isEmpty = result !== null && (result.groups.length === 0 || (metric.fn === "count" && (result.totals[0] ?? 0) === 0));

  const heading = <h2 className="tk-result-title">{title}</h2>;
  return (
    <div className="tk-page tk-explore">
      <PageHead title="Explore"><StarterMenu /><RangePicker /></PageHead>
      {isBlank && <StarterCards />}
      <Builder metrics={metrics} groups={groups} interval={interval} isAuto={!wish} shape={shape} range={range} onChange={change} />
      <FilterBar leaves={filter.leaves} onSet={filter.set} />
      <SampleNotice application={shared.application} range={range} zone={zone} leaves={filter.leaves} onSet={filter.set} />
      <section className="tk-card tk-result" aria-label="Result">
        {!(shape === "line" && chart && !error && !isEmpty) && heading}
        {error ? (
          <Trouble error={error} onRetry={() => void totals.refetch()} />
        ) : isEmpty ? (
          <NothingFound hasFilter={filter.leaves.length > 0} label={range.label} onClear={() => filter.set([])} />
        ) : (
          <>
            {shape === "line" && (chart ? <TimeChart label={title} data={chart} height={280} highlight={highlight} onZoom={(from, to) => change({ range: fixedText(from, to) })}>{heading}</TimeChart> : <Skeleton height={300} />)}
            {groups.length === 0 && result && <Tiles result={result} metrics={metrics} />}
            {shape === "bars" && groups.length > 0 && (result ? <BarList result={result} metric={metric} onOnly={only} /> : <Skeleton height={300} />)}
            {shape !== "bars" && groups.length > 0 && (result ? <ResultTable result={result} groups={groups} metrics={metrics} onOnly={only} onHighlight={setHighlight} onFirst={(m) => change({ m })} /> : <Skeleton height={160} />)}
          </>
        )}
        {result && <ResultFoot result={result} chart={shape === "line" ? chart : null} groups={groups} metrics={metrics} range={range} zone={zone} question={{ ...shared, interval: shape === "line" ? interval : null, metrics }} />}
      </section>
    </div>
  );
}
