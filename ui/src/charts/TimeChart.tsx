import { useComputedColorScheme } from "@mantine/core";
import { Table2, ChartNoAxesColumn } from "lucide-react";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import type uPlot from "uplot";
import { bucket, measured, zoneShort } from "@/state/format";
import { readingAt, summary, type ChartData } from "./model";
import { aligned, createPlot, fade } from "./plot";
import "uplot/dist/uPlot.min.css";

interface Props {
  label: string;
  data: ChartData;
  height?: number;
  /** A stretch was dragged or a bucket chosen. */
  onZoom?: (from: number, to: number) => void;
  highlight?: string | null;
  /** Words at the left of the chart's own line. */
  children?: React.ReactNode;
}

/** A time series that can be seen, walked through with arrow keys, heard, and read as a table. */
export function TimeChart({ label, data, height = 260, onZoom, highlight = null, children }: Props) {
  const [isTable, setTable] = useState(false);
  return (
    <figure className="tk-chart" aria-label={label}>
      <figcaption className="tk-hidden">{summary(label, data)}</figcaption>
      <div className="tk-chart-bar">
        <div className="tk-chart-words">{children}</div>
        <span className="tk-dim tk-chart-zone">every {data.interval} · {zoneShort(data.zone)}</span>
        <button type="button" className="tk-chart-switch" aria-pressed={isTable} onClick={() => setTable(!isTable)}>
          {isTable ? <ChartNoAxesColumn size={14} aria-hidden="true" /> : <Table2 size={14} aria-hidden="true" />}
          {isTable ? "View as chart" : "View as table"}
        </button>
      </div>
      {isTable ? <ChartTable label={label} data={data} height={height} /> : <Plot label={label} data={data} height={height} onZoom={onZoom} highlight={highlight} />}
    </figure>
  );
}

/** Where the cursor is: its bucket, and its place in a drawing of this width. */
interface Cursor {
  index: number;
  left: number;
  width: number;
}

function Plot({ label, data, height, onZoom, highlight }: { label: string; data: ChartData; height: number; onZoom: Props["onZoom"]; highlight: string | null }) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const scheme = useComputedColorScheme("light");
  const [cursor, setCursor] = useState<Cursor | null>(null);
  const latest = useRef({ data, onZoom });
  useLayoutEffect(() => {
    latest.current = { data, onZoom };
  });
  const canZoom = onZoom !== undefined;
  const shape = JSON.stringify([data.series.map((s) => [s.key, s.color]), data.kind, data.unit, data.zone, data.interval, data.starts.length < 32, data.starts.length > 90, data.isPartial, data.isCut, scheme]);

  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    const created = createPlot(element, () => latest.current.data, height, {
      onCursor: (index, left) => setCursor(index === null ? null : { index, left, width: element.clientWidth }),
      onZoom: canZoom ? (from, to) => latest.current.onZoom?.(from, to) : undefined,
    });
    plot.current = created;
    const watch = new ResizeObserver(() => created.setSize({ width: Math.max(element.clientWidth, 120), height }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      created.destroy();
      plot.current = null;
    };
    // `shape` stands for everything that needs a new plot; numbers alone do not.
  }, [shape, height, canZoom]);

  useEffect(() => {
    plot.current?.setData(aligned(data));
    if (plot.current) fade(plot.current, data, highlight);
  }, [data, highlight]);

  const last = data.starts.length - 1;
  const shown = cursor && cursor.index <= last ? cursor : null;
  const walk = (index: number) => {
    const at = Math.max(0, Math.min(last, index));
    const u = plot.current;
    const edges = [...data.starts, data.end];
    if (u) u.setCursor({ left: u.valToPos(((edges[at] ?? 0) + (edges[at + 1] ?? 0)) / 2000, "x"), top: 20 });
  };
  const choose = (index: number) => onZoom?.(data.starts[index] ?? 0, data.starts[index + 1] ?? data.end);
  const reading = useMemo(() => (shown ? readingAt(data, shown.index) : null), [data, shown]);
  return (
    <div
      className="tk-plot" role="slider" tabIndex={0} data-own-keys aria-label={`${label}: position in time`} style={{ height }}
      aria-valuemin={0} aria-valuemax={Math.max(last, 0)} aria-valuenow={shown?.index ?? Math.max(last, 0)}
      aria-valuetext={reading ? `${reading.title}: ${reading.rows.map((row) => `${row.label} ${row.text}`).join(", ") || "nothing"}` : "Use the arrow keys to read the chart"}
      onKeyDown={(event) => {
        const here = shown?.index ?? last + 1;
        const next = { ArrowLeft: here - 1, ArrowRight: shown ? here + 1 : 0, Home: 0, End: last }[event.key];
        if (next !== undefined) walk(next);
        else if (event.key === "Enter" && shown) choose(shown.index);
        else if (event.key === "Escape") plot.current?.setCursor({ left: -10, top: -10 });
        else return;
        event.preventDefault();
      }}
      onBlur={() => plot.current?.setCursor({ left: -10, top: -10 })}
    >
      <div ref={host} className="tk-plot-host" />
      {reading && shown && <Tip reading={reading} left={shown.left} width={shown.width} canZoom={canZoom} />}
    </div>
  );
}

/** Under the pointer: the bucket and its largest parts. */
function Tip({ reading, left, width, canZoom }: { reading: ReturnType<typeof readingAt>; left: number; width: number; canZoom: boolean }) {
  const isRight = left > width / 2;
  const more = reading.rows.length - 11;
  return (
    <div className="tk-tip" aria-hidden="true" style={isRight ? { right: width - left + 14 } : { left: left + 14 }}>
      <div className="tk-tip-title">{reading.title}</div>
      {reading.rows.slice(0, 11).map((row) => (
        <div key={row.key} className="tk-tip-row">
          <span className="tk-swatch" style={{ background: `var(${row.color})` }} />
          <span className="tk-ellipsis">{row.label}</span>
          <span className="tk-num tk-tip-value">{row.text}</span>
        </div>
      ))}
      {more > 0 && <div className="tk-dim">and {more} more</div>}
      {reading.rows.length === 0 && <div className="tk-dim">nothing</div>}
      {reading.total && <div className="tk-tip-row tk-tip-total"><span /><span>Total</span><span className="tk-num tk-tip-value">{reading.total}</span></div>}
      {canZoom && <div className="tk-tip-hint">Drag to zoom</div>}
    </div>
  );
}

function ChartTable({ label, data, height }: { label: string; data: ChartData; height: number }) {
  return (
    <div className="tk-chart-table" role="region" aria-label={`${label} as a table`} tabIndex={0} style={{ maxHeight: height }}>
      <table className="tk-table">
        <thead>
          <tr><th scope="col">Start</th>{data.series.map((s) => <th key={s.key} scope="col" className="tk-right">{s.label}</th>)}</tr>
        </thead>
        <tbody>
          {data.starts.map((start, index) => (
            <tr key={start}>
              <th scope="row">{bucket(start, data.interval, data.zone)}</th>
              {data.series.map((s) => <td key={s.key} className="tk-num tk-right">{measured(s.values[index] ?? null, data.unit)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
