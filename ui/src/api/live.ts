import { useEffect, useEffectEvent, useState } from "react";
import { params } from "./client";
import type { ApiEvent, Problem } from "./types";

export type LiveState = "off" | "connecting" | "open" | "lost" | "refused";

const RETRY_MS = 5000;

export interface Rate {
  per_second: number;
  shown: number;
}

/**
 * The stream of calls as they are stored. It is closed while the tab is hidden (a browser allows six connections to one
 * server) and resumes after the last row seen. `onCalls` gets rows in handfuls, so that a busy API costs a few renders a second.
 */
export function useLive(address: string | null, onCalls: (rows: ApiEvent[]) => void): { state: LiveState; rate: Rate | null; reason: string | null } {
  const [state, setState] = useState<LiveState>("connecting");
  const [rate, setRate] = useState<Rate | null>(null);
  const [reason, setReason] = useState<string | null>(null);
  const deliver = useEffectEvent(onCalls);

  useEffect(() => {
    if (address === null) return undefined;
    let source: EventSource | null = null;
    let last = "";
    let again = 0;
    let isOver = false;
    let waiting: ApiEvent[] = [];
    const flush = window.setInterval(() => {
      if (waiting.length === 0) return;
      deliver(waiting);
      waiting = [];
    }, 200);
    const open = () => {
      if (source !== null || document.hidden) return;
      setState("connecting");
      const resume = params({ last_event_id: last });
      source = new EventSource(address + (address.includes("?") ? resume.replace("?", "&") : resume));
      source.onopen = () => {
        setState("open");
        setReason(null);
      };
      source.onerror = () => {
        setState("lost");
        // A broken line is mended by the browser; after a refusal it gives up without telling why.
        if (source?.readyState !== EventSource.CLOSED) return;
        source = null;
        void refusal(address).then((problem) => {
          if (isOver) return;
          setReason(problem?.detail ?? null);
          if (problem) setState("refused");
          again = window.setTimeout(open, RETRY_MS);
        });
      };
      source.addEventListener("call", (message: MessageEvent<string>) => {
        last = message.lastEventId || last;
        waiting.push(JSON.parse(message.data) as ApiEvent);
      });
      source.addEventListener("rate", (message: MessageEvent<string>) => setRate(JSON.parse(message.data) as Rate));
    };
    const close = () => {
      window.clearTimeout(again);
      source?.close();
      source = null;
    };
    const turn = () => (document.hidden ? close() : open());
    document.addEventListener("visibilitychange", turn);
    open();
    return () => {
      isOver = true;
      document.removeEventListener("visibilitychange", turn);
      window.clearInterval(flush);
      close();
      setRate(null);
    };
  }, [address]);
  return { state: address === null ? "off" : state, rate, reason };
}

/** Why the server does not open this stream; null when it would. */
async function refusal(address: string): Promise<Problem | null> {
  const stop = new AbortController();
  try {
    const answer = await fetch(address, { signal: stop.signal });
    return answer.ok ? null : ((await answer.json()) as Problem);
  } catch {
    return null;
  } finally {
    stop.abort();
  }
}
