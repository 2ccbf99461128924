import assert from "node:assert/strict";
import { test } from "node:test";
import { cell, csv } from "@/pages/explore/csv";
import { formatMetrics, metricWord, parseMetrics } from "@/state/metric";
import { asCurl } from "@/pages/requests/replay";
import { merged } from "@/pages/requests/rows";
import type { ApiEvent } from "@/api/types";
import { measured } from "@/state/format";

test("a cell that begins like a formula stays text", () => {
  for (const text of ["=1+1", "+1", "-1", "@x", "\tx"]) assert.equal(cell(text).replace(/"/g, "")[0], "'");
  assert.equal(cell(-5), "-5");
  assert.equal(cell('a "b", c'), '"a ""b"", c"');
  assert.equal(csv([["a", 1, null]]), "a,1,\r\n");
});

test("metrics read from the URL are known, complete and each there once", () => {
  assert.deepEqual(parseMetrics("count,p95(duration_ms),count"), [{ fn: "count" }, { fn: "p95", field: "duration_ms" }]);
  assert.deepEqual(parseMetrics("drop(table),p95"), [{ fn: "count" }]);
  assert.equal(formatMetrics(parseMetrics("unique(user),error_rate")), "unique(user),error_rate");
  assert.equal(metricWord({ fn: "unique", field: "user" }), "Unique users");
});

test("values carry their unit", () => {
  assert.equal(measured(1234.5, "ms"), "1.23 s");
  assert.equal(measured(0.0213, "ratio"), "2.1%");
  assert.equal(measured(20_069, null), "20,069");
  assert.equal(measured(12_400_000, null), "12.4M");
  assert.equal(measured(null, "ms"), "–");
  assert.equal(measured(1_500, "bytes"), "1.5 kB");
});

const event = (id: string, time: string) => ({ id, time }) as ApiEvent;

test("live and stored rows are one list, newest first, each call once", () => {
  const rows = merged([event("c", "3"), event("b", "2")], [event("b", "2"), event("a", "1")]);
  assert.deepEqual(rows.map((row) => row.id), ["c", "b", "a"]);
});

test("a request as cURL quotes what a shell would read", () => {
  const call = { request: { method: "POST", uri: "https://x.test/a?b=1&c=2", headers: { accept: "it's", host: "x" }, body: { a: 1 }, body_encoding: "json" } } as unknown as ApiEvent;
  assert.equal(asCurl(call), `curl -X POST 'https://x.test/a?b=1&c=2' \\\n  -H 'accept: it'\\''s' \\\n  --data-raw '{"a":1}'`);
});
