import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { ArrowRight, Check, Radio, Send } from "lucide-react";
import { useCallback, useEffect, useState } from "react";
import { useLive } from "@/api/live";
import { liveAddress, useStatus } from "@/api/queries";
import type { ApiEvent, Application } from "@/api/types";
import { StatusBadge } from "@/components/bits";
import { ago, milliseconds } from "@/state/format";
import { useNow } from "@/state/now";
import { NO_SAMPLE } from "@/state/sample";
import { Diagnosis } from "./Diagnosis";
import { testEvent } from "./snippets";

const PATIENCE_MS = 60_000;

/** Waits for the first event as it is stored, and turns green in the same second. */
export function Waiting({ application }: { application: Application }) {
  const [event, setEvent] = useState<ApiEvent | null>(null);
  const [isLong, setLong] = useState(false);
  const { data: status } = useStatus(event ? false : 5_000);
  const see = useCallback((rows: ApiEvent[]) => setEvent(rows[rows.length - 1] ?? null), []);
  useLive(liveAddress(application.id, [NO_SAMPLE]), see);
  useEffect(() => {
    const timer = window.setTimeout(() => setLong(true), PATIENCE_MS);
    return () => window.clearTimeout(timer);
  }, []);
  const hasOlder = !event && status !== undefined && status.events_total > 0;
  return (
    <>
      <div className={`tk-card tk-wait ${event ? "tk-wait-done" : ""}`} role="status" aria-live="polite">
        {event ? <Received event={event} /> : hasOlder ? <Flowing lastAt={status.last_event_at} /> : <Listening />}
      </div>
      <TestRequest application={application} />
      {!event && isLong && <Diagnosis status={status} />}
      {(event || hasOlder) && <NextSteps eventId={event?.id ?? null} />}
    </>
  );
}

function Listening() {
  return (
    <>
      <div className="tk-wait-sign tk-breathing" aria-hidden="true"><Radio size={22} /></div>
      <h2>Waiting for the first event…</h2>
      <p className="tk-dim">This page is listening. Paste the snippet, call your API once, and look here.</p>
    </>
  );
}

function Flowing({ lastAt }: { lastAt: string | null }) {
  const now = useNow(5_000);
  return (
    <>
      <div className="tk-wait-sign" aria-hidden="true"><Check size={22} /></div>
      <h2>Events are arriving</h2>
      <p className="tk-dim">{lastAt ? `The last one came ${ago(Date.parse(lastAt), now)}. ` : ""}The next one will show up here as it comes in.</p>
    </>
  );
}

function Received({ event }: { event: ApiEvent }) {
  const who = [event.user && `user ${event.user}`, event.customer && `customer ${event.customer}`].filter(Boolean).join(", ");
  return (
    <>
      <div className="tk-wait-sign" aria-hidden="true"><Check size={22} /></div>
      <h2>Event received</h2>
      <p className="tk-wait-event">
        <span className={`tk-method tk-method-${event.request.method}`}>{event.request.method}</span>{" "}
        <span className="tk-mono tk-break">{event.request.path || event.action}</span>
      </p>
      <p><StatusBadge status={event.response.status} /> <span className="tk-num">in {milliseconds(event.duration_ms)}</span>{who ? ` · ${who}` : " · no user yet"}</p>
    </>
  );
}

/** One event through the same door that every service uses. */
function TestRequest({ application }: { application: Application }) {
  const [state, setState] = useState<"idle" | "sending" | "sent" | { problem: string }>("idle");
  const send = async () => {
    setState("sending");
    try {
      const answer = await fetch("/v1/events", {
        method: "POST",
        headers: { "content-type": "application/json", "x-moesif-application-id": application.collector_id },
        body: JSON.stringify(testEvent(new Date(), window.location.origin)),
      });
      setState(answer.ok ? "sent" : { problem: `The collector answered ${answer.status}.` });
    } catch {
      setState({ problem: "The collector cannot be reached." });
    }
  };
  return (
    <div className="tk-test">
      <Button variant="default" fullWidth leftSection={<Send size={14} aria-hidden="true" />} loading={state === "sending"} onClick={() => void send()}>
        Send a test request for me
      </Button>
      {typeof state === "object" && <p role="alert" className="tk-problem">{state.problem}</p>}
    </div>
  );
}

function NextSteps({ eventId }: { eventId: string | null }) {
  const steps = [
    { to: "/requests", search: eventId ? { sel: eventId } : {}, title: "Look at the request", words: "Headers, timing, who called" },
    { to: "/explore", search: { m: "count", by: "user" }, title: "See calls by user", words: "Who calls, and how much" },
    { to: "/explore", search: { m: "p95(duration_ms)", by: "request.route" }, title: "Find slow routes", words: "p95 of each endpoint" },
  ];
  return (
    <nav className="tk-card tk-next" aria-label="Next steps">
      <h2>Next</h2>
      {steps.map((step) => (
        <Link key={step.title} to={step.to} search={step.search as never} className="tk-next-link">
          <span><b>{step.title}</b><span className="tk-dim">{step.words}</span></span>
          <ArrowRight size={15} aria-hidden="true" />
        </Link>
      ))}
    </nav>
  );
}
