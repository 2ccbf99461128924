/** A preference that outlives the page, shared by all components that read it. */
import { useSyncExternalStore } from "react";

const listeners = new Set<() => void>();

export function recall(name: string): string | null {
  try {
    return localStorage.getItem(`tollkeeper.${name}`);
  } catch {
    return null;
  }
}

export function remember(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`tollkeeper.${name}`);
    else localStorage.setItem(`tollkeeper.${name}`, value);
  } catch {
    // A browser without storage forgets; the page works all the same.
  }
  for (const tell of listeners) tell();
}

export function useStored(name: string): string | null {
  return useSyncExternalStore(
    (tell) => {
      listeners.add(tell);
      return () => listeners.delete(tell);
    },
    () => recall(name),
  );
}
