/** Where a person wanted to go before the sign-in came between. */
const KEY = "tollkeeper.next";

export function rememberPlace(): void {
  if (window.location.pathname === "/login") return;
  sessionStorage.setItem(KEY, window.location.pathname + window.location.search);
}

/** That place, once; only paths of our own, so that no link can lead elsewhere. */
export function recallPlace(): string {
  const wish = sessionStorage.getItem(KEY) ?? "/";
  sessionStorage.removeItem(KEY);
  return /^\/[a-z]/.test(wish) && !wish.startsWith("/login") ? wish : "/";
}
