/** The URL is the whole state of a page; this is its schema and the one way to read and change it. */
import { useLocation, useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import type { Leaf } from "@/api/types";
import { isZone } from "./calendar";
import { formatFilter, parseFilter } from "./filter";
import { DEFAULT_RANGE, parseRange, type Range } from "./range";
import { usePreferredZone } from "./zone";

export interface View {
  app?: string;
  range?: string;
  tz?: string;
  f?: string;
  live?: string;
  sel?: string;
  m?: string;
  by?: string;
  every?: string;
  view?: string;
}

/** What follows a person from page to page. */
export const COMMON = ["app", "range", "tz", "f"] as const;

const KEYS: Record<string, readonly (keyof View)[]> = {
  // Connect shows no data, but range and filter stay in its URL, so that they are still there on the way back.
  "/connect": COMMON,
  "/requests": [...COMMON, "live", "sel"],
  "/explore": [...COMMON, "m", "by", "every", "view"],
};

const RULES: Partial<Record<keyof View, (text: string) => boolean>> = {
  range: (text) => parseRange(text, Date.now(), "UTC") !== null,
  tz: isZone,
  f: (text) => parseFilter(text).problems.length === 0,
  live: (text) => text === "0" || text === "1",
  every: (text) => ["minute", "hour", "day", "week", "month"].includes(text),
  view: (text) => ["line", "bars", "table"].includes(text),
};

const keysOf = (path: string): readonly (keyof View)[] => KEYS[path] ?? [];

/** The parameters that this page understands. */
export function clean(path: string, raw: Record<string, unknown>): View {
  const found: View = {};
  for (const key of keysOf(path)) {
    const value = raw[key];
    if (typeof value === "string" && value !== "" && (RULES[key]?.(value) ?? true)) found[key] = value;
  }
  return found;
}

/** The parameters that had to be dropped, for telling so. */
export function dropped(path: string, text: string): string[] {
  const raw = Object.fromEntries(new URLSearchParams(text));
  const kept = clean(path, raw);
  return Object.keys(raw).filter((key) => !(key in kept) && raw[key] !== "");
}

/** `?range=24h&f=status:>=500`: as readable as a URL may be. */
export function stringify(search: Record<string, unknown>): string {
  const parts = Object.entries(search)
    .filter(([, value]) => typeof value === "string" && value !== "")
    .map(([key, value]) => `${key}=${encodeURIComponent(String(value)).replace(/%(3A|2F|2C|3D|2A|28|29|7E|7B|7D|40)/g, (code) => decodeURIComponent(code)).replace(/%20/g, "+")}`);
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

export const parse = (text: string): Record<string, string> => Object.fromEntries(new URLSearchParams(text));

/** The view's parameters and `change`, which adds a step to the history unless told to replace. */
export function useView(): { view: View; change: (patch: Partial<View>, replace?: boolean) => void } {
  const view: View = useSearch({ strict: false });
  const navigate = useNavigate();
  const path = useLocation({ select: (location) => location.pathname });
  const change = useCallback(
    (patch: Partial<View>, replace = false) => {
      void navigate({
        to: path,
        replace,
        resetScroll: false,
        search: (old: View) => clean(path, { ...old, ...patch }),
      } as Parameters<typeof navigate>[0]);
    },
    [navigate, path],
  );
  return { view, change };
}

/** The zone of everything shown: that of the URL, else the person's own choice, else the browser's. */
export function useZone(): string {
  const preferred = usePreferredZone();
  return useView().view.tz ?? preferred;
}

/** The chosen range at this moment. */
export function useRange(): Range {
  const { view } = useView();
  const zone = useZone();
  // eslint-disable-next-line react-hooks/purity -- a sliding range ends when it is looked at; what is asked and remembered is its text
  const now = Date.now();
  const fallback = parseRange(DEFAULT_RANGE, now, zone) as Range;
  return parseRange(view.range ?? DEFAULT_RANGE, now, zone) ?? fallback;
}

/** The filter of the URL as leaves, and how to replace it. */
export function useFilter(): { leaves: Leaf[]; text: string; set: (leaves: Leaf[]) => void } {
  const { view, change } = useView();
  const text = view.f ?? "";
  const leaves = useMemo(() => parseFilter(text).leaves, [text]);
  const set = useCallback((next: Leaf[]) => change({ f: formatFilter(next) }), [change]);
  return { leaves, text, set };
}
