/** Keyboard shortcuts: one table, shown by `?`, off inside fields and when a person turns them off. */
import { useEffect, useEffectEvent } from "react";
import { recall, remember, useStored } from "./stored";

export interface Shortcut {
  keys: string;
  does: string;
}

/** What `?` lists, in this order. */
export const SHORTCUTS: { group: string; keys: Shortcut[] }[] = [
  {
    group: "Everywhere",
    keys: [
      { keys: "mod+k", does: "Search or jump to" }, { keys: "/", does: "Search or jump to" },
      { keys: "g r", does: "Go to Requests" }, { keys: "g e", does: "Go to Explore" }, { keys: "g c", does: "Go to Connect" },
      { keys: ". d", does: "Light or dark" }, { keys: ". u", does: "UTC or local time" }, { keys: "c", does: "Copy link to this view" },
      { keys: "?", does: "This list" },
    ],
  },
  {
    group: "Time and filter",
    keys: [
      { keys: "1", does: "Past 24 hours" }, { keys: "7", does: "Past 7 days" }, { keys: "3", does: "Past 30 days" }, { keys: "m", does: "Month to date" },
      { keys: "←", does: "Earlier" }, { keys: "→", does: "Later" }, { keys: "z", does: "Zoom out" }, { keys: "t", does: "Type a time range" },
      { keys: "f", does: "Type a filter" },
    ],
  },
  {
    group: "Requests",
    keys: [
      { keys: "l", does: "Live on or off" }, { keys: "j", does: "Next request (also ↓)" }, { keys: "k", does: "Previous request (also ↑)" },
      { keys: "Esc", does: "Close the detail, then clear the filter" },
    ],
  },
];

export const shortcutsOn = (): boolean => recall("shortcuts") !== "off";
export const useShortcutsOn = (): boolean => useStored("shortcuts") !== "off";
export const setShortcuts = (on: boolean): void => remember("shortcuts", on ? null : "off");

const NAMES: Record<string, string> = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc" };

function isTyping(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  return !!element?.closest("input, textarea, select, [contenteditable=true], [role=listbox], [role=menu], [role=dialog], [data-own-keys]");
}

/** Run `actions[key]` for single keys and two-key sequences such as `g r`. */
export function useShortcuts(actions: Record<string, (() => void) | undefined>): void {
  const find = useEffectEvent((keys: string) => actions[keys]);
  useEffect(() => {
    let first = "";
    let until = 0;
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (isTyping(event.target) || !shortcutsOn()) return;
      const key = NAMES[event.key] ?? event.key;
      const sequence = event.timeStamp < until ? find(`${first} ${key}`) : undefined;
      const run = sequence ?? find(key);
      first = key;
      until = event.timeStamp + 1200;
      if (!run) return;
      event.preventDefault();
      run();
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, []);
}
