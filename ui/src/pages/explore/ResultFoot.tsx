import { Button } from "@mantine/core";
import { Download, Terminal } from "lucide-react";
import { bodyOf, type Question } from "@/api/queries";
import type { Metric } from "@/api/types";
import type { ChartData } from "@/charts/model";
import { copyWithToast } from "@/components/copy";
import { clock, exact, milliseconds, zoneShort } from "@/state/format";
import type { Range } from "@/state/range";
import { chartCsv, csvName, download, tableCsv } from "./csv";
import type { Result } from "./result";

interface Props {
  result: Result;
  chart: ChartData | null;
  groups: string[];
  metrics: Metric[];
  range: Range;
  zone: string;
  question: Question;
}

/** What the answer cost and how fresh it is, and how to take it along. */
export function ResultFoot({ result, chart, groups, metrics, range, zone, question }: Props) {
  const fresh = result.asOf ? ` · data to ${clock(Date.parse(result.asOf), zone)} ${zoneShort(zone)}` : "";
  return (
    <footer className="tk-result-foot">
      <span className="tk-dim tk-num">{exact(result.rowsRead)} rows read · {milliseconds(result.elapsedMs)}{fresh}</span>
      <span className="tk-result-tools">
        <Button size="xs" variant="subtle" color="gray" leftSection={<Terminal size={14} aria-hidden="true" />} onClick={() => void copyWithToast(asApiCall(question), "API call")}>Copy API call</Button>
        <Button size="xs" variant="subtle" color="gray" leftSection={<Download size={14} aria-hidden="true" />} onClick={() => download(chart ? chartCsv(chart) : tableCsv(result, groups, metrics), csvName(range, zone))}>CSV</Button>
      </span>
    </footer>
  );
}

/** The very question as a command; the token stays out of it. */
export function asApiCall(question: Question): string {
  const body = JSON.stringify(bodyOf(question), null, 2).replace(/'/g, `'\\''`);
  return `curl ${window.location.origin}/api/query \\\n  -H "Authorization: Bearer $TOLLKEEPER_ADMIN_TOKEN" \\\n  -H "Content-Type: application/json" \\\n  -d '${body}'`;
}
