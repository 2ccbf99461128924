import { Combobox, useCombobox } from "@mantine/core";
import { useState } from "react";
import { useFields } from "@/api/queries";
import { fieldWord } from "@/state/metric";

interface Props {
  label: string;
  kind: "any" | "number";
  onPick: (field: string) => void;
  target: (open: () => void) => React.ReactNode;
}

const FIRST = ["user", "customer", "request.route", "request.method", "response.status", "request.path", "request.host", "credential", "request.ip", "source"];
const FIRST_NUMBERS = ["duration_ms", "response.bytes", "request.bytes", "weight"];
const NUMBER_TYPES = /^(number|integer|int|float|double|u?int\d*)/i;

/** All fields with the usual ones first; a name inside a map (`metadata.plan`) can be typed. */
export function FieldPicker({ label, kind, onPick, target }: Props) {
  const { data } = useFields();
  const [text, setText] = useState("");
  const combobox = useCombobox({
    onDropdownClose: () => {
      combobox.resetSelectedOption();
      setText("");
      combobox.focusTarget();
    },
    onDropdownOpen: () => combobox.focusSearchInput(),
  });
  const known = (data?.fields ?? []).filter((field) => !field.map && (kind === "any" ? field.groupable : NUMBER_TYPES.test(field.type))).map((field) => field.name);
  const names = [...new Set([...(kind === "any" ? FIRST : FIRST_NUMBERS), ...known])];
  const wish = text.trim().toLowerCase();
  const found = names.filter((name) => name.toLowerCase().includes(wish) || fieldWord(name).includes(wish));
  const isTyped = /^(request\.(headers|query|body)|response\.(headers|body)|metadata|user|customer)\.[\w.-]+$/i.test(text.trim()) && !found.includes(text.trim());
  return (
    <Combobox store={combobox} width={280} position="bottom-start" shadow="md" withinPortal onOptionSubmit={(value) => { onPick(value); combobox.closeDropdown(); }}>
      <Combobox.Target targetType="button"><span className="tk-picker">{target(() => combobox.toggleDropdown())}</span></Combobox.Target>
      <Combobox.Dropdown>
        <Combobox.Search value={text} onChange={(event) => setText(event.currentTarget.value)} placeholder="Find, or type metadata.plan" aria-label={label} role="combobox" aria-expanded={combobox.dropdownOpened} aria-autocomplete="list" />
        <Combobox.Options mah={280} style={{ overflowY: "auto" }} aria-label={label}>
          {isTyped && <Combobox.Option value={text.trim()}>Use <b>{text.trim()}</b></Combobox.Option>}
          {found.map((name) => (
            <Combobox.Option key={name} value={name} className="tk-suggestion"><span>{fieldWord(name)}</span>{fieldWord(name) !== name && <span className="tk-dim">{name}</span>}</Combobox.Option>
          ))}
          {found.length === 0 && !isTyped && <Combobox.Empty>No such field. Inside headers, bodies and metadata, type the full name: request.headers.x-tenant</Combobox.Empty>}
        </Combobox.Options>
      </Combobox.Dropdown>
    </Combobox>
  );
}
