import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowUp } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import type { ApiEvent } from "@/api/types";
import { Skeleton, StatusBadge } from "@/components/bits";
import { clockMs, day, full, milliseconds, zoneShort } from "@/state/format";

const ROW = 36;

interface Props {
  rows: ApiEvent[];
  isLoading: boolean;
  zone: string;
  selected: string | null;
  onSelect: (event: ApiEvent) => void;
  hasMore: boolean;
  onMore: () => void;
  waiting: number;
  onRelease: () => void;
  /** A person reads: nothing may move. */
  onHold: (isHeld: boolean) => void;
  /** The range is at most a day, so that the time alone is enough. */
  isWholeDay: boolean;
}

/** A real table of which only the rows in sight exist. */
export function RequestTable(props: Props) {
  const { rows, hasMore, onMore, waiting, onRelease, onHold, zone } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const [isScrolled, setScrolled] = useState(false);
  const [isOver, setOver] = useState(false);
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => ROW, overscan: 12, getItemKey: (index) => rows[index]?.id ?? index });
  const items = virtual.getVirtualItems();
  const first = items[0];
  const last = items[items.length - 1];

  useEffect(() => onHold(isScrolled || isOver), [isScrolled, isOver, onHold]);
  useEffect(() => {
    if (hasMore && last && last.index >= rows.length - 20) onMore();
  }, [hasMore, last?.index, rows.length, onMore]);

  // The widest bar is the slowest request in sight of the first hundred: a stable scale while scrolling.
  const slowest = useMemo(() => Math.max(1, ...rows.slice(0, 200).map((row) => row.duration_ms)), [rows]);
  const toTop = () => {
    scroller.current?.scrollTo({ top: 0 });
    setOver(false);
    onRelease();
  };
  return (
    <>
      {waiting > 0 && (
        <button type="button" className="tk-pill" onClick={toTop}>
          <ArrowUp size={13} aria-hidden="true" /> {waiting >= 2000 ? "2000+" : waiting} new
        </button>
      )}
      <div className="tk-hidden" role="status" aria-live="polite">{waiting > 0 ? `${Math.ceil(waiting / 10) * 10 > 10 ? `About ${Math.ceil(waiting / 10) * 10}` : "A few"} new requests` : ""}</div>
      <div
        className="tk-scroll" ref={scroller} role="region" aria-label="Requests" tabIndex={0}
        onScroll={(event) => setScrolled(event.currentTarget.scrollTop > 4)}
        onPointerEnter={(event) => event.pointerType === "mouse" && setOver(true)} onPointerLeave={() => setOver(false)}
      >
        <table className="tk-rows" aria-rowcount={hasMore ? -1 : rows.length + 1}>
          <colgroup>
            <col className="tk-col-time" /><col className="tk-col-method" /><col /><col className="tk-col-status" /><col className="tk-col-ms" /><col className="tk-col-who" /><col className="tk-col-who" />
          </colgroup>
          <thead>
            <tr aria-rowindex={1}>
              <th scope="col" aria-sort="descending">Time <span className="tk-dim">{zoneShort(zone)}</span></th><th scope="col">Method</th><th scope="col">Route</th>
              <th scope="col">Status</th><th scope="col">Duration</th><th scope="col">Customer</th><th scope="col">User</th>
            </tr>
          </thead>
          <tbody>
            {props.isLoading && Array.from({ length: 12 }, (_, index) => <tr key={index} aria-hidden="true"><td colSpan={7}><Skeleton height={14} width={`${90 - (index % 4) * 9}%`} /></td></tr>)}
            {first && first.start > 0 && <tr aria-hidden="true" className="tk-gap"><td colSpan={7} style={{ height: first.start }} /></tr>}
            {items.map((item) => {
              const row = rows[item.index];
              return row ? <Row key={row.id} row={row} index={item.index} slowest={slowest} {...props} /> : null;
            })}
            {last && <tr aria-hidden="true" className="tk-gap"><td colSpan={7} style={{ height: virtual.getTotalSize() - last.end }} /></tr>}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Row({ row, index, slowest, zone, selected, onSelect, isWholeDay }: Props & { row: ApiEvent; index: number; slowest: number }) {
  const at = Date.parse(row.time);
  const isChosen = row.id === selected;
  const width = Math.max(2, (row.duration_ms / slowest) * 100);
  return (
    <tr
      data-row={row.id} aria-rowindex={index + 2} aria-selected={isChosen} className={`tk-row ${isChosen ? "tk-row-chosen" : ""}`}
      onClick={(event) => {
        if (!(event.target as HTMLElement).closest("a") && window.getSelection()?.isCollapsed !== false) onSelect(row);
      }}
    >
      <td className="tk-num tk-cell-time" title={`${full(at, zone)} ${zoneShort(zone, at)}\n${full(at, "UTC")} UTC`}>
        <Link to="." search={((old: Record<string, unknown>) => ({ ...old, sel: row.id })) as never} resetScroll={false} className="tk-row-link">
          {isWholeDay ? "" : <span className="tk-dim">{day(at, zone)} </span>}{clockMs(at, zone)}
        </Link>
      </td>
      <td><span className={`tk-method tk-method-${row.request.method}`}>{row.kind === "action" ? "action" : row.request.method}</span></td>
      <td className="tk-ellipsis tk-cell-route" title={row.request.uri}>{row.kind === "action" ? row.action : row.request.route || row.request.path}</td>
      <td>{row.kind === "action" ? <span className="tk-dim">–</span> : <StatusBadge status={row.response.status} />}</td>
      <td className="tk-cell-ms">
        <span className="tk-num">{milliseconds(row.duration_ms)}</span>
        <span className="tk-bar" aria-hidden="true"><span style={{ width: `${width}%` }} className={row.response.status >= 500 ? "tk-bar-bad" : ""} /></span>
      </td>
      <td className="tk-ellipsis">{row.customer || <span className="tk-dim">–</span>}</td>
      <td className="tk-ellipsis">{row.user || <span className="tk-dim">–</span>}</td>
    </tr>
  );
}
