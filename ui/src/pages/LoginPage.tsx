import { Button, PasswordInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useRouter, type RouterHistory } from "@tanstack/react-router";
import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError, request } from "@/api/client";
import { Mark } from "@/components/Mark";
import { recallPlace } from "@/state/place";

/** The admin link ends here: its token is in the fragment, which never leaves the browser, and is gone from the address at once. */
export function LoginPage() {
  const router = useRouter();
  const cache = useQueryClient();
  const [token, setToken] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(() => window.location.hash.startsWith("#token="));
  const started = useRef(false);

  const signIn = useCallback(
    async (secret: string) => {
      setBusy(true);
      setProblem(null);
      try {
        await request("POST", "/api/session", { token: secret });
        await cache.resetQueries();
        (router.history as RouterHistory).replace(recallPlace());
      } catch (error) {
        setProblem(error instanceof ApiError && error.status < 500 ? "This token is not valid. The link in the server’s terminal has the right one." : "The server cannot be reached. Is it still running?");
        setBusy(false);
      }
    },
    [router, cache],
  );

  useEffect(() => {
    document.title = "Sign in · Tollkeeper";
    const secret = new URLSearchParams(window.location.hash.slice(1)).get("token");
    if (!secret || started.current) return;
    started.current = true;
    window.history.replaceState(window.history.state, "", "/login");
    void signIn(secret);
  }, [signIn]);

  return (
    <main className="tk-login">
      <div className="tk-card tk-login-card">
        <Mark size={44} />
        <h1>Sign in to Tollkeeper</h1>
        <p className="tk-dim">Open the link that <code>tollkeeper serve</code> printed, or paste its token here.</p>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void signIn(token.trim());
          }}
        >
          <PasswordInput label="Admin token" value={token} onChange={(event) => setToken(event.currentTarget.value)} error={problem} disabled={isBusy} autoComplete="current-password" data-autofocus
            visibilityToggleButtonProps={{ "aria-label": "Show the token", tabIndex: 0 }} />
          <Button type="submit" fullWidth mt="md" loading={isBusy} disabled={!isBusy && token.trim() === ""}>Sign in</Button>
        </form>
      </div>
    </main>
  );
}
