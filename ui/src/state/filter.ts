/**
 * The filter as text: `status:>=500 route:/v1/pets* -customer:acme user:a,b path:~^/v1 "free text"`.
 *
 * Chips, URL and text box are three views of the same list of leaves; the API gets it as `{"and": [...]}`.
 */
import type { Filter, Leaf, Op, Scalar } from "@/api/types";

const ALIASES: Record<string, string> = {
  status: "response.status", route: "request.route", path: "request.path", method: "request.method", verb: "request.method",
  host: "request.host", uri: "request.uri", ip: "request.ip", user_id: "user", company: "customer", company_id: "customer",
  duration: "duration_ms", ms: "duration_ms",
};

const SHORT: Record<string, string> = {
  "response.status": "status", "request.route": "route", "request.path": "path", "request.method": "method",
  "request.host": "host", "request.uri": "uri", "request.ip": "ip",
};

const NUMERIC = new Set(["response.status", "duration_ms", "request.bytes", "response.bytes", "weight"]);
const NAME = /^-?[A-Za-z_][\w.-]*$/;
const ADDRESS = /^[a-z]+:\/\//i;
const ORDER: [string, Op][] = [[">=", "gte"], ["<=", "lte"], ["!=", "ne"], [">", "gt"], ["<", "lt"], ["~", "matches"], ["=", "eq"]];

/** What a filter term says, in words for a chip. */
export const OP_WORDS: Record<Op, string> = {
  eq: "is", ne: "is not", gt: ">", gte: "≥", lt: "<", lte: "≤", in: "is one of", nin: "is none of", contains: "contains",
  starts_with: "starts with", ends_with: "ends with", matches: "matches", exists: "is known",
};

export interface Parsed {
  leaves: Leaf[];
  problems: string[];
}

export const canonical = (name: string): string => ALIASES[name] ?? name;
export const short = (field: string): string => SHORT[field] ?? field;
export const isNumeric = (field: string): boolean => NUMERIC.has(field);

/** The terms of a text, without breaking inside quotes. */
function terms(text: string): string[] {
  return text.match(/(?:"(?:\\.|[^"\\])*"?|[^\s"])+/g) ?? [];
}

/** The text as a list of leaves; what cannot be understood is named, never silently dropped. */
export function parseFilter(text: string): Parsed {
  const leaves: Leaf[] = [];
  const problems: string[] = [];
  for (const term of terms(text)) {
    const hundred = /^status:([1-5])(?:xx|\*)$/i.exec(term)?.[1];
    if (hundred) {
      const field = "response.status";
      leaves.push({ field, op: "gte", value: Number(hundred) * 100 }, { field, op: "lt", value: (Number(hundred) + 1) * 100 });
      continue;
    }
    const leaf = parseTerm(term);
    if (typeof leaf === "string") problems.push(leaf);
    else leaves.push(leaf);
  }
  return { leaves, problems };
}

function parseTerm(term: string): Leaf | string {
  const colon = term.indexOf(":");
  const name = term.slice(0, Math.max(colon, 0));
  // A pasted address is looked for as it is: nobody means a field called “https”.
  if (colon < 1 || !NAME.test(name) || ADDRESS.test(term)) return { field: "request.uri", op: "contains", value: unquote(term) };
  const negative = name.startsWith("-");
  const field = canonical(negative ? name.slice(1) : name);
  const raw = term.slice(colon + 1);
  if (raw === "") return `${name}: needs a value`;
  const leaf = parseValue(field, raw);
  if (typeof leaf === "string" || !negative) return leaf;
  if (leaf.op === "eq") return { ...leaf, op: "ne" };
  if (leaf.op === "in") return { ...leaf, op: "nin" };
  if (leaf.op === "exists") return { ...leaf, value: false };
  return `-${short(field)}: “not” goes with a plain value, a list or *`;
}

function parseValue(field: string, raw: string): Leaf | string {
  if (/^"(?:\\.|[^"\\])*"?$/.test(raw)) return checked(field, "eq", unquote(raw));
  for (const [sign, op] of ORDER) {
    if (raw.startsWith(sign)) return checked(field, op, unquote(raw.slice(sign.length)));
  }
  if (raw === "*") return { field, op: "exists", value: true };
  const front = raw.startsWith("*");
  const back = raw.endsWith("*");
  if ((front || back) && NUMERIC.has(field)) return `${short(field)} takes a number; compare it with >= or <`;
  if (front && back) return { field, op: "contains", value: unquote(raw.slice(1, -1)) };
  if (back) return { field, op: "starts_with", value: unquote(raw.slice(0, -1)) };
  if (front) return { field, op: "ends_with", value: unquote(raw.slice(1)) };
  const parts = raw.match(/(?:"(?:\\.|[^"\\])*"?|[^,"])+/g) ?? [];
  if (parts.length < 2) return checked(field, "eq", unquote(raw));
  const values = parts.map((part) => typed(field, "in", unquote(part)));
  return values.some((value) => value === null) ? `${short(field)} takes numbers` : { field, op: "in", value: values };
}

function checked(field: string, op: Op, text: string): Leaf | string {
  const value = typed(field, op, text);
  if (text === "" && op !== "eq" && op !== "ne") return `${short(field)}: needs a value`;
  return value === null ? `${short(field)} takes a number, not “${text}”` : { field, op, value };
}

function typed(field: string, op: Op, text: string): Scalar {
  const ordered = op === "gt" || op === "gte" || op === "lt" || op === "lte";
  const looksNumeric = text.trim() !== "" && Number.isFinite(Number(text));
  if (NUMERIC.has(field) && op !== "matches") return looksNumeric ? Number(text) : null;
  return ordered && looksNumeric ? Number(text) : text;
}

const unquote = (text: string): string =>
  text.startsWith('"') ? text.slice(1, text.length > 1 && text.endsWith('"') ? -1 : undefined).replace(/\\(.)/g, "$1") : text;

const quoteIf = (value: Scalar, odd: RegExp): string => {
  const text = String(value);
  return text === "" || odd.test(text) ? `"${text.replace(/["\\]/g, "\\$&")}"` : text;
};

const ODD_START = /^[<>=!~*"]|[\s",]|\*$/;
const ODD_REST = /[\s"]/;

/** One leaf as text; parsing it again gives the same leaf. */
export function formatLeaf(leaf: Leaf): string {
  const name = short(leaf.field);
  const value = Array.isArray(leaf.value) ? leaf.value : [leaf.value];
  const first = value[0] ?? "";
  const sign = ORDER.find(([, op]) => op === leaf.op)?.[0] ?? "";
  switch (leaf.op) {
    case "eq": return `${name}:${quoteIf(first, ODD_START)}`;
    case "ne": return `-${name}:${quoteIf(first, ODD_START)}`;
    case "exists": return leaf.value === false ? `-${name}:*` : `${name}:*`;
    case "in": case "nin": return `${leaf.op === "nin" ? "-" : ""}${name}:${value.map((v) => quoteIf(v, ODD_START)).join(",")}`;
    case "contains": return leaf.field === "request.uri" && !/[:"*-]/.test(String(first)) ? quoteIf(first, ODD_REST) : `${name}:*${bare(first)}*`;
    case "starts_with": return `${name}:${bare(first)}*`;
    case "ends_with": return `${name}:*${bare(first)}`;
    default: return `${name}:${sign}${quoteIf(first, ODD_REST)}`;
  }
}

/** Beside a star only blanks and quotes would end the term, so only those need quoting. */
const bare = (value: Scalar): string => (/[\s"]/.test(String(value)) ? `"${String(value).replace(/["\\]/g, "\\$&")}"` : String(value));

export const formatFilter = (leaves: Leaf[]): string => leaves.map(formatLeaf).join(" ");

/** For people: “status ≥ 500”. */
export function describe(leaf: Leaf): { field: string; op: string; value: string } {
  const shown = (value: Scalar) => (value === "" ? "(empty)" : String(value));
  if (leaf.op === "exists") return { field: short(leaf.field), op: leaf.value === false ? "is unknown" : "is known", value: "" };
  const value = Array.isArray(leaf.value) ? leaf.value.map(shown).join(", ") : shown(leaf.value);
  return { field: short(leaf.field), op: OP_WORDS[leaf.op], value };
}

/** How the API wants it; null when everything passes. */
export const toApi = (leaves: Leaf[]): Filter | null => (leaves.length === 0 ? null : { and: leaves });

/** The list with one more leaf; the same one is not added twice. */
export function withLeaf(leaves: Leaf[], leaf: Leaf): Leaf[] {
  const text = formatLeaf(leaf);
  return leaves.some((known) => formatLeaf(known) === text) ? leaves : [...leaves, leaf];
}
