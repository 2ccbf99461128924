import { Popover } from "@mantine/core";
import { ChevronDown, Plus } from "lucide-react";
import { useState } from "react";
import type { Metric } from "@/api/types";
import { fieldWord, FUNCTIONS, needsOf } from "@/state/metric";
import { FieldPicker } from "./FieldPicker";

interface Props {
  metric: Metric;
  /** What the button says; null makes it the “add” button. */
  label: string | null;
  onPick: (metric: Metric) => void;
}

/** A number to show: first what to compute, then of which field. */
export function MetricPicker({ metric, label, onPick }: Props) {
  const [isOpen, setOpen] = useState(false);
  const pick = (fn: string) => {
    const needs = needsOf(fn);
    const old = needsOf(metric.fn) === needs ? metric.field : undefined;
    onPick(needs === "none" ? { fn } : { fn, field: old ?? (needs === "number" ? "duration_ms" : "user") });
    setOpen(false);
  };
  return (
    <>
      <Popover opened={isOpen} onChange={setOpen} position="bottom-start" width={230} trapFocus returnFocus>
        <Popover.Target>
          {label === null ? (
            <button type="button" className="tk-token-add" aria-label="Add a metric" aria-haspopup="dialog" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}><Plus size={14} aria-hidden="true" /></button>
          ) : (
            <button type="button" className="tk-token-button" aria-label={`Metric: ${label}`} aria-haspopup="dialog" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
              {label}<ChevronDown size={13} aria-hidden="true" />
            </button>
          )}
        </Popover.Target>
        <Popover.Dropdown aria-label="Metric" p={6}>
          <div className="tk-functions">
            {FUNCTIONS.map(({ fn, label: word, needs }) => (
              <button key={fn} type="button" className="tk-preset" aria-pressed={label !== null && fn === metric.fn} onClick={() => pick(fn)}>
                <span>{word}{needs === "none" ? "" : " …"}</span>
              </button>
            ))}
          </div>
        </Popover.Dropdown>
      </Popover>
      {label !== null && metric.field && (
        <FieldPicker
          label="Field of the metric" kind={needsOf(metric.fn) === "number" ? "number" : "any"} onPick={(field) => onPick({ fn: metric.fn, field })}
          target={(open) => <button type="button" className="tk-token-field" aria-label={`Field: ${fieldWord(metric.field ?? "")}`} onClick={open}>of {fieldWord(metric.field ?? "")}</button>}
        />
      )}
    </>
  );
}
