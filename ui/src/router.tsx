import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet, redirect } from "@tanstack/react-router";
import { ApiError, get } from "./api/client";
import { client } from "./api/queries";
import type { Status } from "./api/types";
import { Shell } from "./components/Shell";
import { Empty } from "./components/bits";
import { ConnectPage } from "./pages/connect/ConnectPage";
import { LoginPage } from "./pages/LoginPage";
import { RequestsPage } from "./pages/requests/RequestsPage";
import { rememberPlace } from "./state/place";
import { clean, parse, stringify, type View } from "./state/view";

/** Nobody sees a page without a session; the way back is kept. */
async function needSession(): Promise<void> {
  try {
    await client.query({ queryKey: ["session"], staleTime: 60_000, retry: false, queryFn: () => get("/api/session") });
  } catch (error) {
    if (error instanceof ApiError && (error.status === 401 || error.status === 403)) throw toLogin();
  }
}

function toLogin() {
  rememberPlace();
  return redirect({ to: "/login" } as never);
}

const root = createRootRoute({
  component: Outlet,
  notFoundComponent: () => <main className="tk-login"><Empty title="There is no such page"><p><a href="/">Back to the dashboard</a></p></Empty></main>,
});

const shell = createRoute({ getParentRoute: () => root, id: "shell", component: Shell, beforeLoad: needSession });

const page = (path: string) => ({ path, getParentRoute: () => shell, validateSearch: (raw: Record<string, unknown>): View => clean(path, raw) });

const routes = [
  createRoute({ ...page("/connect"), component: ConnectPage }),
  createRoute({ ...page("/requests"), component: RequestsPage }),
  createRoute({ ...page("/explore"), component: lazyRouteComponent(() => import("./pages/explore/ExplorePage"), "ExplorePage") }),
];

const index = createRoute({
  getParentRoute: () => shell,
  path: "/",
  beforeLoad: async () => {
    const status = await get<Status>("/api/status").catch(() => null);
    throw redirect({ to: status?.events_total === 0 ? "/connect" : "/requests", replace: true } as never);
  },
});

const login = createRoute({ getParentRoute: () => root, path: "/login", component: LoginPage });

export const router = createRouter({
  routeTree: root.addChildren([shell.addChildren([index, ...routes]), login]),
  parseSearch: parse,
  stringifySearch: stringify,
  defaultPreload: "intent",
  scrollRestoration: true,
});
