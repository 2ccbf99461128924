import { ListFilter, ListX } from "lucide-react";
import { Fragment } from "react";
import type { ApiEvent, Leaf, Scalar } from "@/api/types";
import { short, withLeaf } from "@/state/filter";
import { bytes, full, milliseconds, zoneShort } from "@/state/format";
import { fieldWord } from "@/state/metric";

interface Filtering {
  leaves: Leaf[];
  onFilter: (leaves: Leaf[]) => void;
}

/** Narrow to this value, or leave it out. */
export function FilterBy({ field, value, leaves, onFilter }: Filtering & { field: string; value: Scalar }) {
  const name = `${short(field)} ${value === "" ? "(empty)" : String(value)}`;
  return (
    <span className="tk-filter-by">
      <button type="button" className="tk-icon-button" aria-label={`Only ${name}`} title="Only this value" onClick={() => onFilter(withLeaf(leaves, { field, op: "eq", value }))}><ListFilter size={13} aria-hidden="true" /></button>
      <button type="button" className="tk-icon-button" aria-label={`Without ${name}`} title="Without this value" onClick={() => onFilter(withLeaf(leaves, { field, op: "ne", value }))}><ListX size={13} aria-hidden="true" /></button>
    </span>
  );
}

const OUTCOMES: Record<string, string> = {
  exception: "the application raised an exception", disconnect: "the caller hung up before the end", websocket: "a websocket connection",
};

/** Who, what, how long: every value can become a filter. */
export function Facts({ event, zone, leaves, onFilter }: { event: ApiEvent; zone: string } & Filtering) {
  const at = Date.parse(event.time);
  const facts: [string, Scalar, string?][] = [
    ["customer", event.customer], ["user", event.user], ["credential", event.credential],
    ["request.route", event.request.route], ["request.method", event.request.method], ["response.status", event.response.status],
    ["request.host", event.request.host], ["request.ip", event.request.ip], ["request.api_version", event.request.api_version],
    ["direction", event.direction], ["source", event.source], ["action", event.action], ["subscription", event.subscription],
    ["trace_id", event.trace_id], ["blocked_by", event.blocked_by], ["outcome", event.outcome, OUTCOMES[event.outcome]],
  ];
  const always = new Set(["customer", "user"]);
  return (
    <>
      <dl className="tk-facts">
        {facts.filter(([field, value]) => always.has(field) || (value !== "" && value !== null)).map(([field, value, words]) => (
          <Fragment key={field}>
            <dt>{fieldWord(field)}</dt>
            <dd>
              <span className={`tk-fact ${field === "credential" || field === "trace_id" ? "tk-mono" : ""}`}>{value === "" ? <span className="tk-dim">not known</span> : words ?? String(value)}</span>
              <FilterBy field={field} value={value} leaves={leaves} onFilter={onFilter} />
            </dd>
          </Fragment>
        ))}
        <dt>address</dt><dd><span className="tk-fact tk-break">{event.request.uri || "–"}</span></dd>
        <dt>duration</dt><dd className="tk-num">{milliseconds(event.duration_ms)}</dd>
        <dt>size</dt><dd className="tk-num">{bytes(event.request.bytes)} in, {bytes(event.response.bytes)} out</dd>
        {event.weight !== 1 && <><dt>weight</dt><dd className="tk-num">stands for {event.weight} calls (sampled)</dd></>}
        <dt>time</dt>
        <dd className="tk-num">
          <div>{full(at, zone)} {zoneShort(zone, at)}</div>
          {zone !== "UTC" && <div className="tk-dim">{full(at, "UTC")} UTC</div>}
        </dd>
        <dt>id</dt><dd><span className="tk-fact tk-mono tk-break">{event.id}</span></dd>
      </dl>
      <Metadata value={event.metadata} leaves={leaves} onFilter={onFilter} />
    </>
  );
}

function Metadata({ value, leaves, onFilter }: { value: unknown } & Filtering) {
  const entries = value !== null && typeof value === "object" ? Object.entries(value as Record<string, unknown>) : [];
  if (entries.length === 0) return null;
  return (
    <section className="tk-part">
      <h3>Metadata</h3>
      <dl className="tk-facts">
        {entries.map(([key, found]) => (
          <Fragment key={key}>
            <dt className="tk-mono">{key}</dt>
            <dd>
              <span className="tk-fact tk-break">{typeof found === "object" ? JSON.stringify(found) : String(found as Scalar)}</span>
              {typeof found !== "object" && <FilterBy field={`metadata.${key}`} value={found as Scalar} leaves={leaves} onFilter={onFilter} />}
            </dd>
          </Fragment>
        ))}
      </dl>
    </section>
  );
}
