import { Menu, Tabs } from "@mantine/core";
import { Copy, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useEvent } from "@/api/queries";
import type { ApiEvent, Leaf } from "@/api/types";
import { JsonTree } from "@/components/JsonTree";
import { SampleBadge, Skeleton, StatusBadge, Trouble } from "@/components/bits";
import { copyLink, copyWithToast } from "@/components/copy";
import { full, milliseconds, zoneShort } from "@/state/format";
import { isSample } from "@/state/sample";
import { recall, remember } from "@/state/stored";
import { BodyView, HeaderTable } from "./MessageView";
import { Facts } from "./Facts";
import { asCurl, asPython } from "./replay";

interface Props {
  id: string;
  application: string | null;
  zone: string;
  leaves: Leaf[];
  onFilter: (leaves: Leaf[]) => void;
  onClose: () => void;
}

const WIDTH = { least: 340, most: 900, first: 460 };

/** One request in full, beside the list. Closing gives the focus back to its row. */
export function Detail({ id, application, zone, leaves, onFilter, onClose }: Props) {
  const { data: event, error, refetch } = useEvent(application, id);
  const panel = useRef<HTMLElement>(null);
  const [width, setWidth] = useState(Number(recall("detail-width")) || WIDTH.first);
  const resize = (next: number) => {
    const kept = Math.round(Math.max(WIDTH.least, Math.min(WIDTH.most, next)));
    setWidth(kept);
    remember("detail-width", String(kept));
  };
  useEffect(() => {
    const aside = panel.current;
    const row = document.querySelector<HTMLElement>(`[data-row="${CSS.escape(id)}"] a`);
    return () => {
      if (document.activeElement === document.body || aside?.contains(document.activeElement)) row?.focus({ preventScroll: true });
    };
  }, [id]);
  return (
    <aside className="tk-card tk-detail" aria-label="Request detail" ref={panel} style={{ "--tk-detail": `${width}px` } as React.CSSProperties}>
      <Handle width={width} onResize={resize} />
      <header className="tk-detail-head">
        {event ? <Heading event={event} zone={zone} /> : <Skeleton height={40} width="70%" />}
        <div className="tk-detail-actions">
          {event && <CopyMenu event={event} />}
          <button type="button" className="tk-icon-button" aria-label="Close detail" title="Close (Esc)" onClick={onClose}><X size={16} aria-hidden="true" /></button>
        </div>
      </header>
      {error ? <Trouble error={error} onRetry={() => void refetch()} /> : event ? <Body event={event} zone={zone} leaves={leaves} onFilter={onFilter} /> : <div className="tk-detail-wait"><Skeleton height={220} /></div>}
    </aside>
  );
}

function Heading({ event, zone }: { event: ApiEvent; zone: string }) {
  const at = Date.parse(event.time);
  return (
    <div className="tk-detail-title">
      <h2>
        <span className={`tk-method tk-method-${event.request.method}`}>{event.request.method || event.kind}</span>
        <span className="tk-detail-path">{event.action || event.request.path}</span>
        {isSample(event) && <SampleBadge />}
      </h2>
      <p className="tk-dim tk-num">
        <StatusBadge status={event.response.status} /> {milliseconds(event.duration_ms)} · {full(at, zone)} {zoneShort(zone, at)}
      </p>
    </div>
  );
}

function CopyMenu({ event }: { event: ApiEvent }) {
  return (
    <Menu position="bottom-end" width={190}>
      <Menu.Target><button type="button" className="tk-icon-button" aria-label="Copy this request" title="Copy"><Copy size={15} aria-hidden="true" /></button></Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => void copyWithToast(asCurl(event), "cURL command")}>Copy as cURL</Menu.Item>
        <Menu.Item onClick={() => void copyWithToast(asPython(event), "Python code")}>Copy as Python</Menu.Item>
        <Menu.Item onClick={copyLink}>Copy link</Menu.Item>
        <Menu.Item onClick={() => void copyWithToast(event.id, "Id")}>Copy id</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function Body({ event, zone, leaves, onFilter }: { event: ApiEvent } & Pick<Props, "zone" | "leaves" | "onFilter">) {
  return (
    <Tabs defaultValue="summary" className="tk-detail-tabs" keepMounted={false}>
      <Tabs.List aria-label="Parts of the request">
        <Tabs.Tab value="summary">Summary</Tabs.Tab>
        <Tabs.Tab value="request">Request</Tabs.Tab>
        <Tabs.Tab value="response">Response</Tabs.Tab>
        <Tabs.Tab value="raw">Raw JSON</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="summary" tabIndex={0}><Facts event={event} zone={zone} leaves={leaves} onFilter={onFilter} /></Tabs.Panel>
      <Tabs.Panel value="request" tabIndex={0}>
        <HeaderTable title="Query parameters" values={event.request.query} prefix="request.query." leaves={leaves} onFilter={onFilter} />
        <HeaderTable title="Headers" values={event.request.headers} prefix="request.headers." leaves={leaves} onFilter={onFilter} />
        <BodyView message={event.request} />
      </Tabs.Panel>
      <Tabs.Panel value="response" tabIndex={0}>
        <HeaderTable title="Headers" values={event.response.headers} prefix="response.headers." leaves={leaves} onFilter={onFilter} />
        <BodyView message={event.response} />
      </Tabs.Panel>
      <Tabs.Panel value="raw" tabIndex={0}><div className="tk-json"><JsonTree value={event} /></div></Tabs.Panel>
    </Tabs>
  );
}

/** The edge to drag; arrow keys do the same. */
function Handle({ width, onResize }: { width: number; onResize: (width: number) => void }) {
  return (
    <div
      className="tk-detail-handle" role="separator" aria-orientation="vertical" aria-label="Width of the detail" tabIndex={0} data-own-keys
      aria-valuenow={width} aria-valuemin={WIDTH.least} aria-valuemax={WIDTH.most}
      onKeyDown={(event) => {
        const by = { ArrowLeft: 24, ArrowRight: -24 }[event.key];
        if (by) onResize(width + by);
      }}
      onPointerDown={(down) => {
        down.currentTarget.setPointerCapture(down.pointerId);
        const start = down.clientX + width;
        const target = down.currentTarget;
        const move = (event: PointerEvent) => onResize(start - event.clientX);
        target.addEventListener("pointermove", move);
        target.addEventListener("pointerup", () => target.removeEventListener("pointermove", move), { once: true });
      }}
    />
  );
}
