/** A recorded request as something to run again. Masked values stay masked: the secret was never recorded. */
import type { ApiEvent } from "@/api/types";

const SKIPPED = new Set(["host", "content-length", "connection", "accept-encoding", "transfer-encoding"]);

const shell = (text: string): string => (/^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replace(/'/g, `'\\''`)}'`);

function headersOf(event: ApiEvent): [string, string][] {
  return Object.entries(event.request.headers ?? {}).filter(([name]) => !SKIPPED.has(name.toLowerCase()));
}

function bodyOf(event: ApiEvent): string | null {
  const { body } = event.request;
  if (body === null || body === undefined) return null;
  return typeof body === "string" ? body : JSON.stringify(body);
}

export function asCurl(event: ApiEvent): string {
  const lines = [`curl ${event.request.method === "GET" ? "" : `-X ${shell(event.request.method)} `}${shell(event.request.uri)}`];
  for (const [name, value] of headersOf(event)) lines.push(`-H ${shell(`${name}: ${value}`)}`);
  const body = bodyOf(event);
  if (body !== null) lines.push(event.request.body_encoding === "base64" ? `--data-binary @<(echo ${shell(body)} | base64 -d)` : `--data-raw ${shell(body)}`);
  return lines.join(" \\\n  ");
}

export function asPython(event: ApiEvent): string {
  const body = bodyOf(event);
  const isBinary = event.request.body_encoding === "base64";
  const args = [`    ${JSON.stringify(event.request.method)},`, `    ${JSON.stringify(event.request.uri)},`];
  const headers = headersOf(event);
  if (headers.length > 0) args.push(`    headers={\n${headers.map(([n, v]) => `        ${JSON.stringify(n)}: ${JSON.stringify(v)},`).join("\n")}\n    },`);
  if (body !== null) args.push(isBinary ? `    content=base64.b64decode(${JSON.stringify(body)}),` : `    content=${JSON.stringify(body)},`);
  return `${isBinary && body !== null ? "import base64\n\n" : ""}import httpx\n\nanswer = httpx.request(\n${args.join("\n")}\n)\nprint(answer.status_code, answer.text)\n`;
}
