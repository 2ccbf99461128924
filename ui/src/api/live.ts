import { useEffect, useRef, useState } from "react";
import type { ApiEvent } from "./types";

export type LiveState = "off" | "connecting" | "open" | "lost";

const RETRY_MS = 4000;

export interface Rate {
  per_second: number;
  shown: number;
}

/**
 * The stream of calls as they are stored. It is closed while the tab is hidden (a browser allows six connections to one
 * server) and resumes after the last row seen. `onCalls` gets rows in handfuls, so that a busy API costs a few renders a second.
 */
export function useLive(address: string | null, onCalls: (rows: ApiEvent[]) => void): { state: LiveState; rate: Rate | null } {
  const [state, setState] = useState<LiveState>("off");
  const [rate, setRate] = useState<Rate | null>(null);
  const deliver = useRef(onCalls);
  deliver.current = onCalls;

  useEffect(() => {
    if (address === null) {
      setState("off");
      setRate(null);
      return undefined;
    }
    let source: EventSource | null = null;
    let last = "";
    let again = 0;
    let waiting: ApiEvent[] = [];
    const flush = window.setInterval(() => {
      if (waiting.length === 0) return;
      deliver.current(waiting);
      waiting = [];
    }, 200);
    const open = () => {
      if (source !== null || document.hidden) return;
      setState("connecting");
      const resume = last === "" ? "" : `${address.includes("?") ? "&" : "?"}last_event_id=${encodeURIComponent(last)}`;
      source = new EventSource(address + resume);
      source.onopen = () => setState("open");
      source.onerror = () => {
        setState("lost");
        // A broken line is mended by the browser; after a refusal it gives up, so that is ours to try again.
        if (source?.readyState !== EventSource.CLOSED) return;
        source = null;
        again = window.setTimeout(open, RETRY_MS);
      };
      source.addEventListener("call", (message) => {
        last = message.lastEventId || last;
        waiting.push(JSON.parse(message.data) as ApiEvent);
      });
      source.addEventListener("rate", (message) => setRate(JSON.parse(message.data) as Rate));
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
      document.removeEventListener("visibilitychange", turn);
      window.clearInterval(flush);
      close();
    };
  }, [address]);
  return { state, rate };
}
