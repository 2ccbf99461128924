import assert from "node:assert/strict";
import { test } from "node:test";
import type { Leaf } from "@/api/types";
import { formatFilter, parseFilter, toApi, withLeaf } from "@/state/filter";

const one = (text: string) => parseFilter(text).leaves;

test("comparisons, lists, stars and negation become the operators of the API", () => {
  const cases: [string, Leaf][] = [
    ["status:500", { field: "response.status", op: "eq", value: 500 }],
    ["status:>=500", { field: "response.status", op: "gte", value: 500 }],
    ["duration_ms:<12.5", { field: "duration_ms", op: "lt", value: 12.5 }],
    ["-customer:acme", { field: "customer", op: "ne", value: "acme" }],
    ["user:a,b", { field: "user", op: "in", value: ["a", "b"] }],
    ["-status:404,429", { field: "response.status", op: "nin", value: [404, 429] }],
    ["route:/v1/pets*", { field: "request.route", op: "starts_with", value: "/v1/pets" }],
    ["path:*.json", { field: "request.path", op: "ends_with", value: ".json" }],
    ["path:*pets*", { field: "request.path", op: "contains", value: "pets" }],
    ["path:~^/v[12]/", { field: "request.path", op: "matches", value: "^/v[12]/" }],
    ["user:*", { field: "user", op: "exists", value: true }],
    ["-user:*", { field: "user", op: "exists", value: false }],
    ['user:""', { field: "user", op: "eq", value: "" }],
    ["company_id:7", { field: "customer", op: "eq", value: "7" }],
    ["metadata.plan:gold", { field: "metadata.plan", op: "eq", value: "gold" }],
    ["hello", { field: "request.uri", op: "contains", value: "hello" }],
    ["https://api.test/v1?a=b", { field: "request.uri", op: "contains", value: "https://api.test/v1?a=b" }],
    ['user:"a,1",b', { field: "user", op: "in", value: ["a,1", "b"] }],
    ['-user:"a,1","b 2"', { field: "user", op: "nin", value: ["a,1", "b 2"] }],
    ['user:b,"a,1"', { field: "user", op: "in", value: ["b", "a,1"] }],
    ['user:"a,1"', { field: "user", op: "eq", value: "a,1" }],
    ['user:"say \\"a,1\\"",b', { field: "user", op: "in", value: ['say "a,1"', "b"] }],
    ['user:"Jane \\"J\\" Doe"', { field: "user", op: "eq", value: 'Jane "J" Doe' }],
  ];
  for (const [text, leaf] of cases) assert.deepEqual(one(text), [leaf], text);
});

test("status:5xx means the whole hundred", () => {
  assert.deepEqual(one("status:5xx"), [{ field: "response.status", op: "gte", value: 500 }, { field: "response.status", op: "lt", value: 600 }]);
});

test("a leaf as text means the same leaf when it is read again", () => {
  const values = ["acme", "a b", 'say "hi"', "", "*", "*x", "x*", ">5", "!=", "~a", "a,b", "-a", "a:b", "/v1/{id}", "ü", "back\\slash", "=1"];
  for (const field of ["user", "request.path", "metadata.a.b"]) {
    for (const value of values) {
      for (const op of ["eq", "ne"] as const) {
        const leaf: Leaf = { field, op, value };
        assert.deepEqual(one(formatFilter([leaf])), [leaf], formatFilter([leaf]));
      }
    }
    const list: Leaf = { field, op: "in", value: ["b c", "a", "*", "d,e"] };
    assert.deepEqual(one(formatFilter([list])), [list]);
    for (const op of ["starts_with", "ends_with", "contains"] as const) {
      for (const value of ["pets", "a b", 'q"q']) assert.deepEqual(one(formatFilter([{ field, op, value }])), [{ field, op, value }]);
    }
  }
});

test("what cannot be understood is named", () => {
  assert.match(parseFilter("status:abc").problems[0] ?? "", /takes a number/);
  assert.match(parseFilter("status:*00").problems[0] ?? "", /takes a number/);
  assert.match(parseFilter("user:").problems[0] ?? "", /needs a value/);
  assert.match(parseFilter("-status:>5").problems[0] ?? "", /not/);
});

test("no condition is no filter, and the same one is not added twice", () => {
  assert.equal(toApi([]), null);
  const leaves = one("status:500");
  assert.equal(withLeaf(leaves, one("status:500")[0] as Leaf), leaves);
  assert.equal(withLeaf(leaves, one("user:7")[0] as Leaf).length, 2);
});
