/** uPlot, configured: it draws; tooltip, table, keyboard and words are ours, in `TimeChart`. */
import uPlot from "uplot";
import { day, hourMinute, measured } from "@/state/format";
import { wall } from "@/state/calendar";
import { stacked, type ChartData } from "./model";

export interface PlotEvents {
  /** `left` is counted from the left edge of the drawing, axis included. */
  onCursor: (index: number | null, left: number) => void;
  onZoom: ((from: number, to: number) => void) | undefined;
}

const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Everything but the series `key` steps back; in a stack by a quiet colour, since bars cover each other. */
export function fade(plot: uPlot, data: ChartData, key: string | null): void {
  const isStack = data.kind === "stack";
  data.series.forEach((series, index) => {
    const isBack = key !== null && key !== series.key;
    const places = isStack ? [data.series.length - index] : [2 * index + 1, 2 * index + 2];
    for (const place of places) {
      const drawn = plot.series[place];
      if (!drawn) continue;
      if (isStack) drawn.fill = () => css(isBack ? "--tk-mute-wash" : series.color);
      else drawn.alpha = isBack ? 0.15 : 1;
    }
  });
  plot.redraw(false);
}

/** Rows in the order in which uPlot draws: a stack from its top, so that lower parts cover. */
export function aligned(data: ChartData): uPlot.AlignedData {
  const xs = data.starts.map((start) => start / 1000);
  if (data.kind === "stack") return [xs, ...stacked(data.series).reverse()];
  const last = data.starts.length - 1;
  const rows: (number | null)[][] = [];
  for (const { values } of data.series) {
    // The way to an unfinished bucket is dotted: it is a second line over the last step only.
    rows.push(data.isPartial ? values.map((value, at) => (at === last && last > 0 ? null : value)) : values);
    rows.push(values.map((value, at) => (data.isPartial && at >= last - 1 ? value : null)));
  }
  return [xs, ...rows] as uPlot.AlignedData;
}

const BAR_MOST = 84;

/** Of its bucket a bar takes this much. */
const barShare = (data: ChartData): number => (data.starts.length > 90 ? 0.92 : 0.78);

function seriesOf(data: ChartData): uPlot.Series[] {
  if (data.kind === "stack") {
    const radius = data.series.length === 1 ? 0.12 : 0;
    const bars = uPlot.paths.bars?.({ size: [barShare(data), BAR_MOST], align: 1, radius });
    return [...data.series].reverse().map((series) => ({
      label: series.label, fill: css(series.color), stroke: css(series.color), width: 0, points: { show: false }, ...(bars ? { paths: bars } : {}),
    }));
  }
  const isSparse = data.starts.length < 32;
  return data.series.flatMap((series) => {
    const stroke = css(series.color);
    const points = { show: isSparse, size: 5, fill: stroke, stroke };
    const fill = data.series.length === 1 ? `${stroke}1f` : undefined;
    return [
      { label: series.label, stroke, width: 2, points, ...(fill ? { fill } : {}) },
      { label: `${series.label} (so far)`, stroke, width: 2, dash: [2, 4], points: { show: false } },
    ];
  });
}

function axesOf(data: () => ChartData): uPlot.Axis[] {
  const shared: uPlot.Axis = {
    stroke: css("--tk-ink-dim"), font: "11px 'Inter Variable', system-ui, sans-serif", ticks: { show: false },
    grid: { stroke: css("--tk-line"), width: 1 },
  };
  return [
    { ...shared, grid: { show: false }, space: 74, size: 28, gap: 6, values: (_, splits) => splits.map((at, index) => tick(splits, index, at, data())) },
    { ...shared, size: (_, labels: string[] | null) => 18 + 6.4 * Math.max(1, ...(labels ?? []).map((label) => label.length)), gap: 8, space: 30, values: (_, splits) => splits.map((value) => measured(value, data().unit)) },
  ];
}

/** The hour of day, or the day where a new one begins. */
function tick(splits: number[], index: number, at: number, { zone, interval }: ChartData): string {
  if (interval === "day" || interval === "week" || interval === "month") return day(at * 1000, zone);
  const w = wall(at * 1000, zone);
  const isMidnight = w.hour === 0 && w.minute === 0;
  const stepIsDays = (splits[1] ?? at) - (splits[0] ?? at) >= 86_000;
  return isMidnight || stepIsDays || (index === 0 && splits.length < 2) ? day(at * 1000, zone) : hourMinute(at * 1000, zone);
}

/** Stripes over the bars that are not whole: the one still filling, and the one that the range cuts. */
function hatch(plot: uPlot, data: ChartData): void {
  if (data.kind !== "stack" || data.series.length === 0) return;
  const last = data.starts.length - 1;
  if (data.isPartial) stripes(plot, data, last);
  if (data.isCut && last > 0) stripes(plot, data, 0);
}

function stripes(plot: uPlot, data: ChartData, index: number): void {
  const { ctx } = plot;
  const total = data.series.reduce((sum, series) => sum + (series.values[index] ?? 0), 0);
  const left = plot.valToPos((data.starts[index] ?? 0) / 1000, "x", true);
  const next = plot.valToPos((data.starts[index + 1] ?? data.end) / 1000, "x", true);
  const right = left + Math.min((next - left) * barShare(data), BAR_MOST * devicePixelRatio);
  const top = plot.valToPos(total, "y", true);
  const bottom = plot.bbox.top + plot.bbox.height;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, Math.max(right - left, 2), bottom - top);
  ctx.clip();
  ctx.strokeStyle = css("--tk-card");
  ctx.lineWidth = 2.5 * devicePixelRatio;
  const step = 6 * devicePixelRatio;
  for (let x = left - (bottom - top); x < right; x += step) {
    ctx.beginPath();
    ctx.moveTo(x, bottom);
    ctx.lineTo(x + (bottom - top), top);
    ctx.stroke();
  }
  ctx.restore();
}

/** The plot in `host`. It reads `data()` whenever it draws, so that new numbers need no new plot. */
export function createPlot(host: HTMLElement, data: () => ChartData, height: number, events: PlotEvents): uPlot {
  const { zone } = data();
  const options: uPlot.Options = {
    width: Math.max(host.clientWidth, 120),
    height,
    padding: [12, 20, 0, 0],
    legend: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
    scales: {
      x: { time: true, range: () => [(data().starts[0] ?? 0) / 1000, data().end / 1000] },
      y: { range: (_, low: number | null, high: number | null) => [Math.min(0, low ?? 0), high !== null && high > 0 ? high * 1.08 : 1] },
    },
    cursor: {
      y: false, points: { show: data().kind === "lines" }, drag: { x: events.onZoom !== undefined, y: false, setScale: false },
      dataIdx: (plot) => indexAt(plot, data()),
    },
    series: [{}, ...seriesOf(data())],
    axes: axesOf(data),
    hooks: {
      setCursor: [(plot) => events.onCursor((plot.cursor.left ?? -1) < 0 ? null : indexAt(plot, data()), (plot.cursor.left ?? 0) + plot.bbox.left / devicePixelRatio)],
      setSelect: [(plot) => selected(plot, data(), events)],
      draw: [(plot) => hatch(plot, data())],
    },
  };
  return new uPlot(options, aligned(data()), host);
}

/** A bucket reaches from its start to the next one, so the pointer belongs to the start on its left. */
function indexAt(plot: uPlot, data: ChartData): number {
  const at = plot.posToVal(plot.cursor.left ?? 0, "x") * 1000;
  let low = 0;
  for (let high = data.starts.length - 1; low < high; ) {
    const middle = Math.ceil((low + high) / 2);
    if ((data.starts[middle] ?? 0) <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

function selected(plot: uPlot, data: ChartData, events: PlotEvents): void {
  const { left, width } = plot.select;
  if (width < 5) return;
  const from = plot.posToVal(left, "x") * 1000;
  const to = plot.posToVal(left + width, "x") * 1000;
  plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  const edges = [...data.starts, data.end];
  const snap = (at: number) => edges.reduce((best, edge) => (Math.abs(edge - at) < Math.abs(best - at) ? edge : best), edges[0] ?? at);
  const isFine = data.interval === "minute";
  events.onZoom?.(isFine ? from : snap(from), isFine ? to : Math.max(snap(to), snap(from) + 60_000));
}
