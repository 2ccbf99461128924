import { createSpotlight, Spotlight, type SpotlightActionData, type SpotlightActionGroupData } from "@mantine/spotlight";
import "@mantine/spotlight/styles.css";
import { useNavigate } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { Building2, ChartNoAxesColumn, Clock, FileSearch, Globe, Keyboard, Link2, List, Moon, Plug, Route, Search, User } from "lucide-react";
import { useEffect, useLayoutEffect, useState } from "react";
import { fetchValues } from "@/api/queries";
import { STARTERS } from "@/pages/explore/Starters";
import { formatLeaf } from "@/state/filter";
import { compact } from "@/state/format";
import { fieldWord } from "@/state/metric";
import { PRESETS } from "@/state/range";
import { useView, type View } from "@/state/view";
import { useApplication } from "./ApplicationSwitch";
import { keep, useGo } from "./Shell";
import { useThemeCycle } from "./ThemeSwitch";
import { useZoneToggle } from "./ZoneSwitch";
import { copyLink } from "./copy";

const [store, spotlight] = createSpotlight();
const LIST = "palette-lines";
const SEARCHED = { user: User, customer: Building2, "request.route": Route } as const;
const ID = /^[0-9a-f][0-9a-f-]{14,}[0-9a-f]$/i;

/** Cmd-K: pages, questions, times, users, customers, routes; a pasted request id opens the request. */
export default function Palette({ onClose, onShortcuts }: { onClose: () => void; onShortcuts: () => void }) {
  const [query, setQuery] = useState("");
  const pages = usePages(onShortcuts);
  const found = useFound(query.trim());
  useEffect(() => spotlight.open(), []);
  const wish = query.trim().toLowerCase();
  const matching = (group: SpotlightActionGroupData): SpotlightActionGroupData => ({
    ...group, actions: group.actions.filter((action) => `${action.label} ${action.description ?? ""} ${group.group}`.toLowerCase().includes(wish)),
  });
  const groups = [...found, ...pages.map(matching)].filter((group) => group.actions.length > 0);
  const lines = groups.flatMap((group) => group.actions.map((action) => action.id)).join("\n");
  // What is found comes later than the keystroke, and on top: Enter means the first line from the moment it is seen.
  useLayoutEffect(() => selectFirst(), [lines, query]);
  return (
    <Spotlight
      store={store} actions={groups} query={query} onQueryChange={setQuery} filter={(_, actions) => actions} shortcut={null} onSpotlightClose={() => window.setTimeout(onClose, 150)}
      title="Search or jump to" nothingFound="Nothing of that name" highlightQuery scrollAreaProps={{ id: LIST }} scrollable maxHeight={420} limit={40}
      searchProps={{ leftSection: <Search size={17} aria-hidden="true" />, placeholder: "Pages, users, customers, routes, a request id…", "aria-label": "Search or jump to" }}
    />
  );
}

/** The library marks the selected line in the page itself, and knows a new list only after it was seen: too late for a quick Enter. */
function selectFirst(): void {
  const list = document.getElementById(LIST);
  if (!list) return;
  list.querySelector("[data-selected]")?.removeAttribute("data-selected");
  list.querySelector("[data-action]")?.setAttribute("data-selected", "true");
  store.updateState((state) => ({ ...state, listId: LIST, selected: 0 }));
}

const typedKeys = <K extends string>(of: Record<K, unknown>): K[] => Object.keys(of) as K[];

const icon = (Icon: typeof Search) => <Icon size={17} aria-hidden="true" />;

function usePages(onShortcuts: () => void): SpotlightActionGroupData[] {
  const go = useGo();
  const navigate = useNavigate();
  const cycleTheme = useThemeCycle();
  const toggleZone = useZoneToggle();
  const { change } = useView();
  const hasRange = window.location.pathname !== "/connect";
  const ask = (patch: Partial<View>) => void navigate({ to: "/explore", search: (old: Record<string, unknown>) => ({ ...keep(old), ...patch }) } as never);
  const times: SpotlightActionData[] = PRESETS.map((p) => ({ id: `range-${p.text}`, label: p.label, leftSection: icon(Clock), onClick: () => change({ range: p.text }) }));
  return [
    {
      group: "Pages",
      actions: [
        { id: "requests", label: "Requests", description: "Every call, live", leftSection: icon(List), onClick: () => go("/requests") },
        { id: "explore", label: "Explore", description: "Ask about numbers", leftSection: icon(ChartNoAxesColumn), onClick: () => go("/explore") },
        { id: "connect", label: "Connect", description: "Send events here", leftSection: icon(Plug), onClick: () => go("/connect") },
      ],
    },
    { group: "Questions", actions: STARTERS.map((s) => ({ id: `ask-${s.title}`, label: s.title, description: s.words, leftSection: icon(s.icon), onClick: () => ask(s.patch) })) },
    ...(hasRange ? [{ group: "Time", actions: times }] : []),
    {
      group: "Actions",
      actions: [
        { id: "theme", label: "Switch between light and dark", leftSection: icon(Moon), onClick: cycleTheme },
        { id: "zone", label: "Switch between UTC and local time", leftSection: icon(Globe), onClick: toggleZone },
        { id: "link", label: "Copy link to this view", leftSection: icon(Link2), onClick: copyLink },
        { id: "keys", label: "Keyboard shortcuts", leftSection: icon(Keyboard), onClick: onShortcuts },
      ],
    },
  ];
}

/** What the recorded calls know under these words. */
function useFound(words: string): SpotlightActionGroupData[] {
  const application = useApplication();
  const navigate = useNavigate();
  const { data = [] } = useQuery({
    queryKey: ["palette", application?.id, words],
    enabled: words.length > 1 && application !== null,
    staleTime: 30_000,
    queryFn: async ({ signal }) => {
      const answers = await Promise.all(typedKeys(SEARCHED).map(async (field) => ({ field, values: (await fetchValues(application?.id ?? null, field, words, "-30d", 5, signal)).values })));
      return answers.flatMap(({ field, values }) => values.filter((v) => v.value !== "" && v.value !== null).map((v) => ({ field, ...v })));
    },
  });
  const open = (patch: Partial<View>) => void navigate({ to: "/requests", search: (old: Record<string, unknown>) => ({ ...keep(old), ...patch }) } as never);
  const actions: SpotlightActionData[] = data.map(({ field, value, count }) => ({
    id: `${field}-${value}`, label: String(value), description: `${fieldWord(field)} · ${compact(count)} calls in 30 days`, leftSection: icon(SEARCHED[field]),
    onClick: () => open({ f: formatLeaf({ field, op: "eq", value }), range: "30d" }),
  }));
  if (ID.test(words)) actions.unshift({ id: "event", label: `Open request ${words}`, leftSection: icon(FileSearch), onClick: () => open({ sel: words }) });
  return words.length > 1 && actions.length > 0 ? [{ group: "Found", actions }] : [];
}
