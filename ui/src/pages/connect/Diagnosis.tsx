import { CircleAlert, CircleCheck, CircleHelp } from "lucide-react";
import type { Status } from "@/api/types";
import { exact } from "@/state/format";

interface Check {
  state: "good" | "bad" | "open";
  title: string;
  words: string;
}

/** Nothing came for a minute: the likely causes, with what the server itself knows about each. */
export function Diagnosis({ status }: { status: Status | undefined }) {
  return (
    <section className="tk-card tk-diagnosis" aria-label="Diagnosis">
      <h2>Nothing yet? Let’s see</h2>
      <ul>
        {checks(status).map((check) => (
          <li key={check.title}>
            <Sign state={check.state} />
            <div><b>{check.title}</b><p className="tk-dim">{check.words}</p></div>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Sign({ state }: { state: Check["state"] }) {
  if (state === "good") return <CircleCheck size={17} className="tk-good" role="img" aria-label="in order" />;
  if (state === "bad") return <CircleAlert size={17} className="tk-bad" role="img" aria-label="a problem" />;
  return <CircleHelp size={17} className="tk-dim" role="img" aria-label="to check" />;
}

export function checks(status: Status | undefined): Check[] {
  if (!status) return [{ state: "bad", title: "The server does not answer", words: "Is it still running? Look at its terminal." }];
  const dropped = Object.entries(status.dropped).filter(([, count]) => count > 0);
  const backlog = status.journal.backlog_entries;
  const isLocal = /^(localhost|127\.|\[::1\])/.test(window.location.host);
  return [
    status.accepting
      ? { state: "good", title: "The collector is accepting events", words: `It listens at ${window.location.origin}.` }
      : { state: "bad", title: "The collector refuses events", words: "Its journal or disk is over the limit. Make room; it recovers by itself." },
    status.quarantine.count > 0
      ? { state: "bad", title: `${exact(status.quarantine.count)} events could not be understood`, words: "They are kept. `tollkeeper quarantine list` says why, `replay` takes them in again." }
      : { state: "good", title: "Nothing was turned away", words: "No event came that could not be read." },
    ...(dropped.length > 0 ? [{ state: "bad" as const, title: "A sender dropped events", words: dropped.map(([reason, count]) => `${reason}: ${exact(count)}`).join(", ") }] : []),
    backlog > 1000
      ? { state: "bad", title: "Events are waiting to be stored", words: `${exact(backlog)} entries in the journal.` }
      : { state: "good", title: "The pipeline is up to date", words: "What is accepted is stored at once." },
    { state: "open", title: "Was the API called after the restart?", words: "The middleware sends after the first call, within two seconds." },
    {
      state: "open", title: "Can your service reach this address?",
      words: isLocal ? `${window.location.origin} only works on this machine. From a container or another host, use this machine’s name and start the server with --host 0.0.0.0.` : "Try the cURL tab from the machine where your service runs.",
    },
    { state: "open", title: "Is the id complete?", words: "The collector id has 50 characters or more; a wrong one is refused with 401, which the sender logs." },
  ];
}
