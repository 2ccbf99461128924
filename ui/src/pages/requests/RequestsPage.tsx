import { ActionIcon, Button, Tooltip } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { RefreshCw, SearchX } from "lucide-react";
import { useCallback, useEffect, useMemo, useState } from "react";
import { useLive } from "@/api/live";
import { liveAddress, useEvents, useStatus } from "@/api/queries";
import type { ApiEvent } from "@/api/types";
import { useApplication } from "@/components/ApplicationSwitch";
import { FilterBar } from "@/components/FilterBar";
import { RangePicker } from "@/components/RangePicker";
import { SampleNotice } from "@/components/SampleNotice";
import { PageHead, useGo } from "@/components/Shell";
import { Empty, Trouble } from "@/components/bits";
import { useShortcuts } from "@/state/shortcuts";
import { useFilter, useRange, useView, useZone } from "@/state/view";
import { fixedText } from "@/state/range";
import { Detail } from "./Detail";
import { Histogram } from "./Histogram";
import { LiveSwitch } from "./LiveSwitch";
import { RequestTable } from "./RequestTable";
import { useRows } from "./rows";

export function RequestsPage() {
  const application = useApplication();
  const range = useRange();
  const zone = useZone();
  const filter = useFilter();
  const { view, change } = useView();
  const [isHeld, setHeld] = useState(false);
  const cache = useQueryClient();
  const id = application?.id ?? null;

  const isLive = range.endsNow && view.live !== "0";
  const events = useEvents({ application: id, range, leaves: filter.leaves });
  const stored = useMemo(() => events.data?.pages.flatMap((page) => page.events) ?? [], [events.data]);
  const rows = useRows(stored, isHeld, `${id} ${range.text} ${filter.text}`);
  const { state, rate, reason } = useLive(isLive && application ? liveAddress(id, filter.leaves) : null, rows.add);

  const select = useCallback((event: ApiEvent | null) => change({ sel: event?.id }), [change]);
  const toggleLive = () => change(range.endsNow ? { live: isLive ? "0" : undefined } : { live: undefined, range: undefined });
  useRowKeys(rows.shown, view.sel, select, filter.leaves.length > 0 ? () => filter.set([]) : undefined);
  useShortcuts({ l: toggleLive });

  const isEmpty = events.isSuccess && rows.shown.length === 0;
  return (
    <div className={`tk-page tk-requests ${view.sel ? "tk-with-detail" : ""}`}>
      <PageHead title="Requests">
        {!isLive && range.endsNow && (
          <Tooltip label="Look again"><ActionIcon aria-label="Refresh" onClick={() => void cache.invalidateQueries()}><RefreshCw size={15} /></ActionIcon></Tooltip>
        )}
        <LiveSwitch isLive={isLive} state={state} rate={rate} reason={reason} onToggle={toggleLive} />
        <RangePicker />
      </PageHead>
      <FilterBar leaves={filter.leaves} onSet={filter.set} />
      <SampleNotice application={id} range={range} zone={zone} leaves={filter.leaves} onSet={filter.set} />
      <Histogram application={id} range={range} zone={zone} leaves={filter.leaves} onZoom={(from, to) => change({ range: fixedText(from, to) })} />
      <div className="tk-requests-split">
        <section className="tk-card tk-requests-list" aria-label="List of requests">
          {events.isError && rows.shown.length === 0 ? (
            <Trouble error={events.error} onRetry={() => void events.refetch()} />
          ) : isEmpty ? (
            <NoRows hasFilter={filter.leaves.length > 0} label={range.label} onClear={() => filter.set([])} onWiden={() => change({ range: "30d" })} />
          ) : (
            <RequestTable
              rows={rows.shown} isLoading={events.isPending} zone={zone} selected={view.sel ?? null} onSelect={select}
              hasMore={events.hasNextPage} onMore={() => !events.isFetchingNextPage && void events.fetchNextPage()}
              waiting={rows.waiting} onRelease={rows.release} onHold={setHeld} isWholeDay={range.to - range.from <= 86_400_000}
            />
          )}
        </section>
        {view.sel && <Detail id={view.sel} application={id} zone={zone} leaves={filter.leaves} onFilter={filter.set} onClose={() => select(null)} />}
      </div>
    </div>
  );
}

/** J and K or the arrows walk the rows, Escape closes, then clears. */
function useRowKeys(rows: ApiEvent[], selected: string | undefined, select: (event: ApiEvent | null) => void, clear: (() => void) | undefined) {
  const at = rows.findIndex((row) => row.id === selected);
  const step = (by: number) => {
    const next = rows[at < 0 ? 0 : Math.max(0, Math.min(rows.length - 1, at + by))];
    if (next) select(next);
  };
  useShortcuts({ j: () => step(1), k: () => step(-1), "↓": () => step(1), "↑": () => step(-1), Esc: selected ? () => select(null) : clear });
  useEffect(() => {
    if (!selected) return;
    const row = document.querySelector(`[data-row="${CSS.escape(selected)}"]`);
    row?.scrollIntoView({ block: "nearest" });
  }, [selected]);
}

function NoRows({ hasFilter, label, onClear, onWiden }: { hasFilter: boolean; label: string; onClear: () => void; onWiden: () => void }) {
  const { data: status } = useStatus();
  const go = useGo();
  if (status && status.events_total === 0) {
    return (
      <Empty icon={<SearchX size={22} />} title="No requests have arrived yet" action={<Button size="xs" onClick={() => go("/connect")}>Connect an API</Button>}>
        <p>Every call to your API shows up here within a second, as soon as one of your services sends its events.</p>
      </Empty>
    );
  }
  return hasFilter ? (
    <Empty icon={<SearchX size={22} />} title="No request matches this filter" action={<Button size="xs" variant="default" onClick={onClear}>Clear the filter</Button>}>
      <p>There are requests, but none like this in “{label}”. Remove a condition above, or look at a longer time.</p>
    </Empty>
  ) : (
    <Empty icon={<SearchX size={22} />} title={`No requests in “${label}”`} action={<Button size="xs" variant="default" onClick={onWiden}>Look at the past 30 days</Button>}>
      <p>Nothing was called in this time.{status?.last_event_at ? " Older requests are there." : ""}</p>
    </Empty>
  );
}
