import { Button, Tooltip } from "@mantine/core";
import { Pause, Play } from "lucide-react";
import type { LiveState, Rate } from "@/api/live";
import { compact } from "@/state/format";

interface Props {
  isLive: boolean;
  state: LiveState;
  rate: Rate | null;
  onToggle: () => void;
  /** Why the server does not stream this filter. */
  reason: string | null;
}

/** Live on or off, and the true rate: when more comes than can be shown, it says so. */
export function LiveSwitch({ isLive, state, rate, reason, onToggle }: Props) {
  const isThin = rate !== null && rate.per_second > rate.shown + 0.5;
  const words = state === "refused" ? "No live view of this filter" : state === "lost" ? "Reconnecting…" : rate === null ? "" : isThin ? `showing ${compact(rate.shown)} of ${compact(rate.per_second)}/s` : `${compact(rate.per_second)}/s`;
  return (
    <div className="tk-live">
      {isLive && words && <span className="tk-dim tk-num" title={reason ?? "Calls per second, measured by the server"}>{words}</span>}
      <Tooltip label={isLive ? "Stop the live view (l)" : "Follow new requests (l)"}>
        <Button
          variant="default" aria-pressed={isLive} onClick={onToggle} className={isLive ? "tk-live-on" : ""}
          leftSection={isLive ? <span className={`tk-dot ${state === "lost" || state === "refused" ? "tk-dot-bad" : "tk-dot-good"} tk-breathing`} /> : <Play size={14} aria-hidden="true" />}
          rightSection={isLive ? <Pause size={13} aria-hidden="true" /> : null}
        >
          Live
        </Button>
      </Tooltip>
    </div>
  );
}
