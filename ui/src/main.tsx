import "./style/font.css";
import "./style/mantine.css";
import "./style/base.css";
import "./style/shell.css";
import "./style/parts.css";
import "./style/chart.css";
import "./style/requests.css";
import "./style/explore.css";
import "./style/connect.css";
import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "./api/client";
import { client } from "./api/queries";
import { router } from "./router";
import { rememberPlace } from "./state/place";
import { theme, variables } from "./theme";

// A session that ended while the page was open leads to the sign-in, and back to the same view.
client.getQueryCache().subscribe((event) => {
  const error: unknown = event.query.state.error;
  const key = event.query.queryKey as readonly unknown[];
  if (event.type !== "updated" || event.action.type !== "error" || window.location.pathname === "/login") return;
  if (!(error instanceof ApiError) || error.status !== 401 || key[0] === "session") return;
  rememberPlace();
  void router.navigate({ to: "/login" } as never);
});

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto">
      <Notifications position="bottom-right" limit={3} />
      <QueryClientProvider client={client}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
