import { useMemo, useState } from "react";
import type { ApiEvent } from "@/api/types";

const MOST_LIVE = 2000;

/**
 * Stored pages and live calls as one list, newest first, each call once. While `isHeld` (a person reads: pointer over the list, or
 * scrolled down) new calls wait, so that nothing jumps.
 */
export function useRows(stored: ApiEvent[], isHeld: boolean, topic: string) {
  const [kept, setKept] = useState<Kept>({ topic, live: [], waiting: [] });
  if (kept.topic !== topic) setKept({ topic, live: [], waiting: [] });
  else if (!isHeld && kept.waiting.length > 0) setKept(released(kept));

  const add = (calls: ApiEvent[]) =>
    setKept((old) => {
      const late = { ...old, waiting: [...[...calls].reverse(), ...old.waiting].slice(0, MOST_LIVE) };
      return isHeld ? late : released(late);
    });
  const release = () => setKept(released);

  const shown = useMemo(() => merged(kept.live, stored), [kept.live, stored]);
  return { shown, waiting: kept.waiting.length, add, release };
}

interface Kept {
  topic: string;
  live: ApiEvent[];
  waiting: ApiEvent[];
}

const released = (kept: Kept): Kept => ({ ...kept, live: [...kept.waiting, ...kept.live].slice(0, MOST_LIVE), waiting: [] });

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
