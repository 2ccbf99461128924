/** Small pieces that several pages share. */
import { Button } from "@mantine/core";
import { Check, CircleAlert, Copy } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { ApiError } from "@/api/client";
import { copyText } from "./copy";

/** 200 in green, 404 in amber, 500 in red, always with the number itself. */
export function StatusBadge({ status }: { status: number }) {
  const kind = status === 0 ? "0" : String(Math.floor(status / 100));
  return <span className={`tk-status tk-status-${kind}`}>{status === 0 ? "none" : status}</span>;
}

/** Marks a call of the sample history, so that nobody takes it for one that happened. */
export const SampleBadge = () => <span className="tk-sample" title="Sample history: this call never happened">sample</span>;

export function CopyButton({ text, label = "Copy", compact = false }: { text: string; label?: string; compact?: boolean }) {
  const [isDone, setDone] = useState(false);
  const timer = useRef(0);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  const copy = async () => {
    setDone(await copyText(text));
    timer.current = window.setTimeout(() => setDone(false), 1600);
  };
  const icon = isDone ? <Check size={14} aria-hidden="true" /> : <Copy size={14} aria-hidden="true" />;
  if (compact) return <button type="button" className="tk-icon-button" aria-label={isDone ? "Copied" : label} title={label} onClick={() => void copy()}>{icon}</button>;
  return <Button variant="default" size="xs" leftSection={icon} aria-label={isDone ? "Copied" : label} title="Copies all of it" onClick={() => void copy()}>{isDone ? "Copied" : "Copy"}</Button>;
}

/** Says what is missing, why just now, and offers the one thing that helps. */
export function Empty({ icon, title, children, action }: { icon?: React.ReactNode; title: string; children?: React.ReactNode; action?: React.ReactNode }) {
  return (
    <div className="tk-empty">
      {icon && <div className="tk-empty-icon" aria-hidden="true">{icon}</div>}
      <h2>{title}</h2>
      {children && <div className="tk-empty-words">{children}</div>}
      {action && <div className="tk-empty-action">{action}</div>}
    </div>
  );
}

/** A refusal or a broken line, in words that say what to do. */
export function Trouble({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const refusal = error instanceof ApiError ? error : null;
  const title = refusal ? (refusal.status < 500 ? "The server did not accept this question" : "The server had a problem") : "The server cannot be reached";
  const detail = refusal ? refusal.message : "Is Tollkeeper still running? This page tries again by itself.";
  return (
    <div role="alert">
      <Empty
        icon={<CircleAlert size={22} />} title={title}
        action={onRetry && <Button variant="default" size="xs" onClick={onRetry}>Try again</Button>}
      >
        <p>{detail}</p>
        {refusal?.problem.field && <p>The part in question: <code>{refusal.problem.field}</code></p>}
        {refusal?.problem.code && <p className="tk-dim">Code <code>{refusal.problem.code}</code></p>}
      </Empty>
    </div>
  );
}

export function Skeleton({ height, width = "100%" }: { height: number | string; width?: number | string }) {
  return <div className="tk-skeleton" style={{ height, width }} aria-hidden="true" />;
}
