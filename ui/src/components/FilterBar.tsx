import { Combobox, useCombobox } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { ListFilter, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useFields, useValues } from "@/api/queries";
import type { Leaf } from "@/api/types";
import { canonical, describe, formatLeaf, parseFilter, short, withLeaf } from "@/state/filter";
import { compact } from "@/state/format";
import { useShortcuts } from "@/state/shortcuts";
import { useApplication } from "./ApplicationSwitch";

interface Suggestion {
  /** What the text box holds after choosing it. */
  text: string;
  label: string;
  note: string;
  isWhole: boolean;
}

const FIRST = ["status", "route", "user", "customer", "method", "path", "duration_ms", "host", "ip"];

/** Chips and text are two views of one filter: `status:>=500 route:/v1/pets* customer:acme`. */
export function FilterBar({ leaves, onSet }: { leaves: Leaf[]; onSet: (leaves: Leaf[]) => void }) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const input = useRef<HTMLInputElement>(null);
  const combobox = useCombobox({ onDropdownClose: () => combobox.resetSelectedOption() });
  const suggestions = useSuggestions(text);
  useShortcuts({ f: () => input.current?.focus() });
  const { resetSelectedOption } = combobox;
  useEffect(() => resetSelectedOption(), [text, resetSelectedOption]);

  const take = (words: string): boolean => {
    const { leaves: found, problems } = parseFilter(words);
    setProblem(problems[0] ?? null);
    if (problems.length > 0) return false;
    if (found.length > 0) onSet(found.reduce(withLeaf, leaves));
    setText("");
    return true;
  };
  const choose = (value: string) => {
    const found = suggestions.find((s) => s.text === value);
    if (found?.isWhole) take(value);
    else setText(value);
    input.current?.focus();
  };
  const edit = (leaf: Leaf) => {
    onSet(leaves.filter((l) => l !== leaf));
    setText(formatLeaf(leaf));
    input.current?.focus();
  };

  return (
    <div className="tk-filter-wrap">
      <Combobox store={combobox} onOptionSubmit={choose} position="bottom-start" width={360} shadow="md" withinPortal>
        <Combobox.DropdownTarget>
          <div className={`tk-filter ${problem ? "tk-filter-wrong" : ""}`} onClick={(event) => event.target === event.currentTarget && input.current?.focus()}>
            <ListFilter size={15} aria-hidden="true" className="tk-filter-icon" />
            {leaves.map((leaf) => <Chip key={formatLeaf(leaf)} leaf={leaf} onEdit={() => edit(leaf)} onRemove={() => onSet(leaves.filter((l) => l !== leaf))} />)}
            <Combobox.EventsTarget withExpandedAttribute>
              <input
                ref={input} className="tk-filter-input" aria-label="Filter" spellCheck={false} autoComplete="off" value={text} role="combobox" aria-autocomplete="list"
                placeholder={leaves.length === 0 ? "Filter, e.g. status:>=500 route:/v1/pets* user:acme" : "and…"} aria-invalid={problem !== null}
                onChange={(event) => {
                  setText(event.currentTarget.value);
                  setProblem(null);
                  combobox.openDropdown();
                }}
                onFocus={() => combobox.openDropdown()}
                onBlur={() => combobox.closeDropdown()}
                onKeyDown={(event) => {
                  if (event.key === "Enter" && combobox.getSelectedOptionIndex() < 0) {
                    event.preventDefault();
                    if (take(text)) combobox.closeDropdown();
                  } else if (event.key === "Backspace" && text === "" && leaves.length > 0) {
                    event.preventDefault();
                    edit(leaves[leaves.length - 1] as Leaf);
                  } else if (event.key === "Escape") input.current?.blur();
                }}
              />
            </Combobox.EventsTarget>
            {leaves.length > 0 && <button type="button" className="tk-filter-clear" onClick={() => { onSet([]); notifications.hide("filter"); }}>Clear</button>}
          </div>
        </Combobox.DropdownTarget>
        <Combobox.Dropdown hidden={suggestions.length === 0}>
          <Combobox.Options aria-label="Suggestions" mah={320} style={{ overflowY: "auto" }}>
            {suggestions.map((s) => (
              <Combobox.Option key={s.text} value={s.text} className="tk-suggestion">
                <span className="tk-ellipsis">{s.label}</span>
                <span className="tk-dim tk-num">{s.note}</span>
              </Combobox.Option>
            ))}
          </Combobox.Options>
        </Combobox.Dropdown>
      </Combobox>
      {problem && <p className="tk-filter-problem" role="alert">{problem}</p>}
    </div>
  );
}

function Chip({ leaf, onEdit, onRemove }: { leaf: Leaf; onEdit: () => void; onRemove: () => void }) {
  const { field, op, value } = describe(leaf);
  const words = [field, op, value].filter(Boolean).join(" ");
  return (
    <span className="tk-chip">
      <button type="button" className="tk-chip-words" onClick={onEdit} aria-label={`Edit filter: ${words}`}>
        <span className="tk-chip-field">{field}</span> <span className="tk-chip-op">{op}</span> {value && <b>{value}</b>}
      </button>
      <button type="button" className="tk-chip-x" onClick={onRemove} aria-label={`Remove filter: ${words}`}><X size={13} aria-hidden="true" /></button>
    </span>
  );
}

/** Field names first; after the colon the values that were really seen, with how often. */
function useSuggestions(text: string): Suggestion[] {
  const application = useApplication();
  const { data: fields } = useFields();
  const found = /^(-?)([A-Za-z_][\w.-]*):(.*)$/.exec(text.trimStart());
  const field = found ? canonical(found[2] ?? "") : null;
  const typed = (found?.[3] ?? "").replace(/^[*"!=<>~]+|[*"]+$/g, "");
  const { data: values } = useValues(application?.id ?? null, field, typed);
  if (found && field) {
    return (values?.values ?? [])
      .filter(({ value }) => value !== null && value !== "")
      .map(({ value, count }) => {
        const words = formatLeaf({ field, op: found[1] ? "ne" : "eq", value });
        return { text: words, label: String(value), note: compact(count), isWhole: true };
      })
      .filter((s) => s.text !== text)
      .slice(0, 12);
  }
  const wish = text.trim().replace(/^-/, "").toLowerCase();
  const names = [...FIRST, ...(fields?.fields ?? []).filter((f) => !f.map).map((f) => short(f.name))];
  const kinds = new Map((fields?.fields ?? []).map((f) => [short(f.name), f.type]));
  return [...new Set(names)]
    .filter((name) => name.toLowerCase().includes(wish) && /^[\w.]+$/.test(name))
    .slice(0, wish === "" ? 9 : 12)
    .map((name) => ({ text: `${text.trim().startsWith("-") ? "-" : ""}${name}:`, label: `${name}:`, note: kinds.get(name) ?? "", isWhole: false }));
}
