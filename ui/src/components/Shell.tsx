import { ActionIcon, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { Link, Outlet, useLocation, useNavigate } from "@tanstack/react-router";
import { ChartNoAxesColumn, Keyboard, List, Plug, Search } from "lucide-react";
import { lazy, Suspense, useEffect, useEffectEvent, useRef, useState } from "react";
import { COMMON, clean, dropped, useView } from "@/state/view";
import { useShortcuts } from "@/state/shortcuts";
import { ApplicationSwitch } from "./ApplicationSwitch";
import { Freshness } from "./Freshness";
import { Mark } from "./Mark";
import { ShortcutList } from "./ShortcutList";
import { ThemeSwitch, useThemeCycle } from "./ThemeSwitch";
import { useZoneToggle, ZoneSwitch } from "./ZoneSwitch";
import { copyLink } from "./copy";

const Palette = lazy(() => import("./Palette"));

const PAGES = [
  { to: "/requests", label: "Requests", icon: List, key: "g r" },
  { to: "/explore", label: "Explore", icon: ChartNoAxesColumn, key: "g e" },
  { to: "/connect", label: "Connect", icon: Plug, key: "g c" },
] as const;

/** The frame of every page: navigation, search, zone, theme. */
export function Shell() {
  const [isPaletteOpen, setPaletteOpen] = useState(false);
  const [isListOpen, setListOpen] = useState(false);
  const cycleTheme = useThemeCycle();
  const toggleZone = useZoneToggle();
  const go = useGo();
  const openPalette = () => setPaletteOpen(true);
  useShortcuts({
    "/": openPalette,
    "?": () => setListOpen(true),
    "g r": () => go("/requests"),
    "g e": () => go("/explore"),
    "g c": () => go("/connect"),
    ". d": cycleTheme,
    ". u": toggleZone,
    c: copyLink,
  });
  usePaletteKey(openPalette);
  useToastForDropped();

  return (
    <div className="tk-shell">
      <a className="tk-skip" href="#content">Skip to content</a>
      <aside className="tk-side" aria-label="Tollkeeper">
        <Link to="/requests" search={keep} className="tk-brand" aria-label="Tollkeeper">
          <Mark />
          <span>Tollkeeper</span>
        </Link>
        <nav aria-label="Pages" className="tk-nav">
          {PAGES.map(({ to, label, icon: Icon, key }) => (
            <Link key={to} to={to} search={keep as never} className="tk-nav-link" activeProps={{ "aria-current": "page" }} activeOptions={{ includeSearch: false }}>
              <Icon size={17} strokeWidth={1.9} aria-hidden="true" />
              <span>{label}</span>
              <kbd className="tk-key tk-nav-key" aria-hidden="true">{key}</kbd>
            </Link>
          ))}
        </nav>
        <div className="tk-side-foot"><Freshness /></div>
      </aside>
      <div className="tk-body">
        <div className="tk-top" role="region" aria-label="Tools">
          <ApplicationSwitch />
          <button type="button" className="tk-search" onClick={openPalette} aria-label="Search or jump to">
            <Search size={15} aria-hidden="true" />
            <span>Search or jump to…</span>
            <kbd className="tk-key" aria-hidden="true">{isMac ? "⌘K" : "Ctrl K"}</kbd>
          </button>
          <div className="tk-top-right">
            <ZoneSwitch />
            <ThemeSwitch />
            <Tooltip label="Keyboard shortcuts (?)">
              <ActionIcon aria-label="Keyboard shortcuts" onClick={() => setListOpen(true)} className="tk-wide-only"><Keyboard size={17} /></ActionIcon>
            </Tooltip>
          </div>
        </div>
        <main id="content" tabIndex={-1}>
          <Outlet />
          <div id="opened" />
        </main>
      </div>
      <ShortcutList isOpen={isListOpen} onClose={() => setListOpen(false)} />
      {isPaletteOpen && (
        <Suspense fallback={null}><Palette onClose={() => setPaletteOpen(false)} onShortcuts={() => setListOpen(true)} /></Suspense>
      )}
    </div>
  );
}

const isMac = /mac|iphone|ipad/i.test(navigator.userAgent);

/** The parameters that follow a person to another page. */
export const keep = (old: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(COMMON.filter((key) => old[key] !== undefined).map((key) => [key, old[key]]));

export function useGo(): (to: string) => void {
  const navigate = useNavigate();
  return (to) => void navigate({ to, search: keep } as never);
}

function usePaletteKey(open: () => void) {
  const run = useEffectEvent(open);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if ((event.metaKey || event.ctrlKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
        event.preventDefault();
        run();
      }
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, []);
}

/** A link with words that this page does not know still works; what was left out is said once. */
function useToastForDropped() {
  const { pathname, searchStr } = useLocation();
  const navigate = useNavigate();
  useEffect(() => {
    const lost = dropped(pathname, window.location.search);
    if (lost.length === 0) return;
    notifications.show({ id: `dropped-${lost.join()}`, color: "yellow", title: "Part of this link was left out", message: `Not understood here: ${lost.join(", ")}` });
    void navigate({ to: pathname, replace: true, search: (old: Record<string, unknown>) => clean(pathname, old) } as never);
  }, [pathname, searchStr, navigate]);
}

/** How many pages were shown since the document was loaded. */
let arrivals = 0;

/** The one heading of a page, its tab title, and the tools that belong beside it. */
export function PageHead({ title, note, children }: { title: string; note?: React.ReactNode; children?: React.ReactNode }) {
  const { view } = useView();
  const heading = useRef<HTMLHeadingElement>(null);
  // After a change of page the heading gets the focus, so that a screen reader starts there.
  useEffect(() => {
    if (arrivals > 0) heading.current?.focus();
    arrivals += 1;
  }, []);
  useEffect(() => {
    document.title = `${title} · Tollkeeper`;
  }, [title, view]);
  return (
    <div className="tk-head">
      <div className="tk-head-words">
        <h1 ref={heading} tabIndex={-1}>{title}</h1>
        {note}
      </div>
      <div className="tk-head-tools">{children}</div>
    </div>
  );
}
