import { ChevronRight } from "lucide-react";
import { useState } from "react";

interface Props {
  value: unknown;
  name?: string;
  depth?: number;
}

const OPEN_DEPTH = 2;
const FIRST_ITEMS = 100;

/** JSON that folds. Everything is text: nothing of a payload is ever taken for markup. */
export function JsonTree({ value, name, depth = 0 }: Props) {
  if (value !== null && typeof value === "object") return <Branch value={value} name={name} depth={depth} />;
  return <div className="tk-json-line"><Name name={name} /><Leaf value={value} /></div>;
}

function Branch({ value, name, depth }: { value: object; name: string | undefined; depth: number }) {
  const isList = Array.isArray(value);
  const entries: [string, unknown][] = Object.entries(value);
  const [isOpen, setOpen] = useState(depth < OPEN_DEPTH && entries.length <= 40);
  const [limit, setLimit] = useState(FIRST_ITEMS);
  const ends = isList ? "[]" : "{}";
  if (entries.length === 0) return <div className="tk-json-line"><Name name={name} /><span className="tk-dim">{ends}</span></div>;
  return (
    <div>
      <button type="button" className="tk-json-fold" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <ChevronRight size={13} aria-hidden="true" className={isOpen ? "tk-turned" : ""} />
        <Name name={name} />
        <span className="tk-dim">{ends[0]}{isOpen ? "" : `… ${entries.length} ${isList ? "items" : "keys"} ${ends[1]}`}</span>
      </button>
      {isOpen && (
        <div className="tk-json-inside">
          {entries.slice(0, limit).map(([key, inner]) => <JsonTree key={key} value={inner} name={isList ? undefined : key} depth={depth + 1} />)}
          {entries.length > limit && <button type="button" className="tk-json-fold" onClick={() => setLimit(limit + 500)}>… {entries.length - limit} more</button>}
          <span className="tk-dim">{ends[1]}</span>
        </div>
      )}
    </div>
  );
}

const Name = ({ name }: { name: string | undefined }) => (name === undefined ? null : <span className="tk-json-name">{name}: </span>);

function Leaf({ value }: { value: unknown }) {
  if (typeof value === "string") return <span className="tk-json-text">{JSON.stringify(value)}</span>;
  return <span className="tk-json-other">{String(value)}</span>;
}
