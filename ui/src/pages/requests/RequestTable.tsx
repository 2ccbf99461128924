import { Link } from "@tanstack/react-router";
import { useElementSize } from "@mantine/hooks";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowUp } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import type { ApiEvent } from "@/api/types";
import { SampleBadge, Skeleton, StatusBadge } from "@/components/bits";
import { clock, clockMs, day, full, milliseconds, zoneShort } from "@/state/format";
import { isSample } from "@/state/sample";

const ROW = 36;

type ColumnKey = "time" | "method" | "route" | "status" | "ms" | "customer" | "user";

/** The columns that there is room for; the detail has the rest. */
export function columnsFor(width: number): ColumnKey[] {
  const all: [ColumnKey, number][] = [["time", 0], ["method", 0], ["route", 0], ["status", 0], ["ms", 430], ["customer", 760], ["user", 600]];
  return all.filter(([, least]) => width === 0 || width >= least).map(([key]) => key);
}

const HEADS: Record<ColumnKey, string> = { time: "Time", method: "Method", route: "Route", status: "Status", ms: "Duration", customer: "Customer", user: "User" };
const WIDTHS: Record<ColumnKey, string> = { time: "tk-col-time", method: "tk-col-method", route: "", status: "tk-col-status", ms: "tk-col-ms", customer: "tk-col-who", user: "tk-col-who" };

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
  const { ref: measured, width } = useElementSize();
  const columns = useMemo(() => columnsFor(Math.round(width)), [width]);
  const size = width === 0 || width > 860 ? "" : width > 430 ? "tk-narrow" : "tk-narrow tk-tiny";
  const scroller = useRef<HTMLDivElement>(null);
  const [isScrolled, setScrolled] = useState(false);
  const [isOver, setOver] = useState(false);
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => ROW, overscan: 12, getItemKey: (index) => rows[index]?.id ?? index });
  const items = virtual.getVirtualItems();
  const first = items[0];
  const last = items[items.length - 1];
  const lastIndex = last?.index ?? -1;

  useEffect(() => onHold(isScrolled || isOver), [isScrolled, isOver, onHold]);
  useEffect(() => {
    if (hasMore && lastIndex >= 0 && lastIndex >= rows.length - 20) onMore();
  }, [hasMore, lastIndex, rows.length, onMore]);

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
        <table ref={measured} className={`tk-rows ${size}`} aria-rowcount={hasMore ? -1 : rows.length + 1}>
          <colgroup>{columns.map((key) => <col key={key} className={WIDTHS[key]} />)}</colgroup>
          <thead>
            <tr aria-rowindex={1}>
              {columns.map((key) => (
                <th key={key} scope="col" aria-sort={key === "time" ? "descending" : undefined}>{HEADS[key]}{key === "time" && <span className="tk-dim"> {zoneShort(zone)}</span>}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {props.isLoading && Array.from({ length: 12 }, (_, index) => <tr key={index} aria-hidden="true"><td colSpan={columns.length}><Skeleton height={14} width={`${90 - (index % 4) * 9}%`} /></td></tr>)}
            {first && first.start > 0 && <tr aria-hidden="true" className="tk-gap"><td colSpan={columns.length} style={{ height: first.start }} /></tr>}
            {items.map((item) => {
              const row = rows[item.index];
              return row ? <Row key={row.id} row={row} index={item.index} slowest={slowest} columns={columns} size={width === 0 || width > 860 ? "wide" : width > 430 ? "narrow" : "tiny"} {...props} /> : null;
            })}
            {last && <tr aria-hidden="true" className="tk-gap"><td colSpan={columns.length} style={{ height: virtual.getTotalSize() - last.end }} /></tr>}
          </tbody>
        </table>
      </div>
    </>
  );
}

type RowProps = Props & { row: ApiEvent; index: number; slowest: number; columns: ColumnKey[]; size: "wide" | "narrow" | "tiny" };

function Row({ row, index, columns, selected, onSelect, ...rest }: RowProps) {
  const isChosen = row.id === selected;
  return (
    <tr
      data-row={row.id} aria-rowindex={index + 2} aria-selected={isChosen} className={`tk-row ${isChosen ? "tk-row-chosen" : ""}`}
      onClick={(event) => {
        if (!(event.target as HTMLElement).closest("a") && window.getSelection()?.isCollapsed !== false) onSelect(row);
      }}
    >
      {columns.map((key) => <Cell key={key} column={key} row={row} {...rest} />)}
    </tr>
  );
}

function Cell({ column, row, slowest, zone, isWholeDay, size }: { column: ColumnKey; row: ApiEvent } & Pick<RowProps, "slowest" | "zone" | "isWholeDay" | "size">) {
  const isAction = row.kind === "action";
  switch (column) {
    case "time": return <TimeCell row={row} zone={zone} isWholeDay={isWholeDay} size={size} />;
    case "method": return <td><span className={`tk-method tk-method-${row.request.method}`}>{isAction ? "action" : row.request.method}</span></td>;
    case "route": return (
      <td title={row.request.uri}>
        <span className="tk-cell-route"><span className="tk-ellipsis">{isAction ? row.action : row.request.route || row.request.path}</span>{isSample(row) && <SampleBadge />}</span>
      </td>
    );
    case "status": return <td>{isAction ? <Nothing /> : <StatusBadge status={row.response.status} />}</td>;
    case "ms": return (
      <td className="tk-cell-ms">
        <span className="tk-num">{milliseconds(row.duration_ms)}</span>
        <span className="tk-bar" aria-hidden="true"><span style={{ width: `${Math.max(2, Math.min(100, (row.duration_ms / slowest) * 100))}%` }} className={row.response.status >= 500 ? "tk-bar-bad" : ""} /></span>
      </td>
    );
    default: return <td className="tk-ellipsis" title={row[column]}>{row[column] || <Nothing />}</td>;
  }
}

const Nothing = () => <span className="tk-dim">–</span>;

function TimeCell({ row, zone, isWholeDay, size }: { row: ApiEvent } & Pick<RowProps, "zone" | "isWholeDay" | "size">) {
  const at = Date.parse(row.time);
  // The day goes before the milliseconds where there is no room for both, and both go on a phone.
  const hasDay = !isWholeDay && size !== "tiny";
  const hasMs = size === "wide" || (size === "narrow" && !hasDay);
  return (
    <td className="tk-num tk-cell-time" title={`${full(at, zone)} ${zoneShort(zone, at)}\n${full(at, "UTC")} UTC`}>
      <Link to="." search={(old: Record<string, unknown>) => ({ ...old, sel: row.id })} resetScroll={false} className="tk-row-link">
        {hasDay && <span className="tk-dim">{day(at, zone)} </span>}{hasMs ? clockMs(at, zone) : clock(at, zone)}
      </Link>
    </td>
  );
}
