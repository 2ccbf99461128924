import { useStatus } from "@/api/queries";
import { ago } from "@/state/format";
import { useNow } from "@/state/now";

/** The pulse of the server at the foot of the sidebar: is it taking events, when did the last one come. */
export function Freshness() {
  const { data, isError } = useStatus(15_000);
  const now = useNow(5_000);
  const isGood = !isError && data?.accepting !== false;
  const words = isError
    ? "Server not reachable"
    : !data
      ? "…"
      : !data.accepting
        ? "Not accepting events"
        : data.last_event_at
          ? `Last event ${ago(Date.parse(data.last_event_at), now)}`
          : "No events yet";
  return (
    <div className="tk-fresh">
      <span className={`tk-dot ${isGood ? "tk-dot-good" : "tk-dot-bad"}`} aria-hidden="true" />
      <div>
        <div>{words}</div>
        {data && <div className="tk-dim">Version {data.version}</div>}
      </div>
    </div>
  );
}
