import type { Leaf, Message } from "@/api/types";
import { JsonTree } from "@/components/JsonTree";
import { CopyButton } from "@/components/bits";
import { bytes } from "@/state/format";
import { FilterBy } from "./Facts";

interface HeaderProps {
  title: string;
  values: Record<string, string> | null;
  prefix: string;
  leaves: Leaf[];
  onFilter: (leaves: Leaf[]) => void;
}

export function HeaderTable({ title, values, prefix, leaves, onFilter }: HeaderProps) {
  const entries = Object.entries(values ?? {}).sort(([a], [b]) => a.localeCompare(b));
  if (entries.length === 0) return title === "Headers" ? <section className="tk-part"><h3>{title}</h3><p className="tk-dim">None were recorded.</p></section> : null;
  return (
    <section className="tk-part">
      <h3>{title} <span className="tk-dim">{entries.length}</span></h3>
      <table className="tk-headers">
        <tbody>
          {entries.map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td><span className="tk-break">{value}</span><FilterBy field={prefix + name} value={value} leaves={leaves} onFilter={onFilter} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** A body as it was recorded; what was not recorded says how to get it next time. */
export function BodyView({ message }: { message: Message }) {
  const { body, body_encoding: encoding } = message;
  if (body === null || body === undefined) {
    return (
      <section className="tk-part">
        <h3>Body</h3>
        <p className="tk-dim">{message.bytes > 0 ? <>{bytes(message.bytes)}, not recorded. Set <code>log_body</code> to true in the capture options to keep bodies.</> : "Empty."}</p>
      </section>
    );
  }
  const text = typeof body === "string" ? body : JSON.stringify(body, null, 2);
  return (
    <section className="tk-part">
      <h3>Body <span className="tk-dim">{bytes(message.bytes)}{encoding === "base64" ? ", base64" : ""}</span> <CopyButton text={text} label="Copy body" compact /></h3>
      {typeof body === "string" ? <pre className="tk-pre">{body}</pre> : <div className="tk-json"><JsonTree value={body} /></div>}
    </section>
  );
}
