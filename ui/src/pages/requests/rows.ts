import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { ApiEvent } from "@/api/types";

const MOST_LIVE = 2000;

/**
 * Stored pages and live calls as one list, newest first, each call once. While `isHeld` (a person reads: pointer over the list, or
 * scrolled down) new calls wait, so that nothing jumps.
 */
export function useRows(stored: ApiEvent[], isHeld: boolean, topic: string) {
  const [live, setLive] = useState<ApiEvent[]>([]);
  const [waiting, setWaiting] = useState<ApiEvent[]>([]);
  const held = useRef(isHeld);
  held.current = isHeld;

  useEffect(() => {
    setLive([]);
    setWaiting([]);
  }, [topic]);

  const add = useCallback((calls: ApiEvent[]) => {
    const newest = [...calls].reverse();
    if (held.current) setWaiting((old) => [...newest, ...old].slice(0, MOST_LIVE));
    else setLive((old) => [...newest, ...old].slice(0, MOST_LIVE));
  }, []);

  const release = useCallback(() => {
    setWaiting((late) => {
      if (late.length > 0) setLive((old) => [...late, ...old].slice(0, MOST_LIVE));
      return [];
    });
  }, []);

  useEffect(() => {
    if (!isHeld) release();
  }, [isHeld, release]);

  const shown = useMemo(() => merged(live, stored), [live, stored]);
  return { shown, waiting: waiting.length, add, release };
}

export function merged(live: ApiEvent[], stored: ApiEvent[]): ApiEvent[] {
  const known = new Set<string>();
  const found: ApiEvent[] = [];
  for (const row of [...live, ...stored]) {
    if (known.has(row.id)) continue;
    known.add(row.id);
    found.push(row);
  }
  return live.length === 0 ? found : found.sort((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : 0));
}
