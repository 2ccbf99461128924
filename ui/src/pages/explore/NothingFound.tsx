import { Button } from "@mantine/core";
import { SearchX } from "lucide-react";
import { useStatus } from "@/api/queries";
import { useGo } from "@/components/Shell";
import { Empty } from "@/components/bits";

/** No numbers: nothing at all yet, nothing in this time, or nothing through this filter. */
export function NothingFound({ hasFilter, label, onClear }: { hasFilter: boolean; label: string; onClear: () => void }) {
  const { data: status } = useStatus();
  const go = useGo();
  if (status?.events_total === 0) {
    return (
      <Empty icon={<SearchX size={22} />} title="Nothing to explore yet" action={<Button size="xs" onClick={() => go("/connect")}>Connect an API</Button>}>
        <p>As soon as the first call arrives, every question here has an answer.</p>
      </Empty>
    );
  }
  if (hasFilter) {
    return (
      <Empty icon={<SearchX size={22} />} title="No call matches this filter" action={<Button size="xs" variant="default" onClick={onClear}>Clear the filter</Button>}>
        <p>In “{label}” no call fulfils all of the conditions above.</p>
      </Empty>
    );
  }
  return <Empty icon={<SearchX size={22} />} title={`No calls in “${label}”`}><p>Choose a longer time at the top right.</p></Empty>;
}
