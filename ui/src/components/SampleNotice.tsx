import { FlaskConical } from "lucide-react";
import { useAnswer } from "@/api/queries";
import type { Leaf } from "@/api/types";
import { withLeaf } from "@/state/filter";
import { exact } from "@/state/format";
import type { Range } from "@/state/range";
import { IS_SAMPLE, NO_SAMPLE } from "@/state/sample";

interface Props {
  application: string | null;
  range: Range;
  zone: string;
  leaves: Leaf[];
  onSet: (leaves: Leaf[]) => void;
}

/** Says how many of the calls in view never happened. Whoever filters by source has decided already, so it is silent then. */
export function SampleNotice({ application, range, zone, leaves, onSet }: Props) {
  const isDecided = leaves.some((leaf) => leaf.field === IS_SAMPLE.field);
  const answer = useAnswer({ application, range, zone, interval: null, metrics: [{ fn: "count" }], groups: [], leaves: [...leaves, IS_SAMPLE] }, application !== null && !isDecided);
  const count = Number(answer.data?.totals[0] ?? 0);
  if (isDecided || count === 0) return null;
  return (
    <p className="tk-notice">
      <FlaskConical size={15} aria-hidden="true" />
      <span><b className="tk-num">{exact(count)}</b> of these calls {count === 1 ? "is" : "are"} sample history</span>
      <span className="tk-notice-act"><span aria-hidden="true">·</span><button type="button" className="tk-link" onClick={() => onSet(withLeaf(leaves, NO_SAMPLE))}>Leave out</button></span>
    </p>
  );
}
