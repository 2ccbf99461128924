import assert from "node:assert/strict";
import { test } from "node:test";
import { add, buckets, floor, instantOf } from "@/state/calendar";
import { apiRange, autoInterval, fixedText, parseRange, shifted, zoomedOut } from "@/state/range";

const NOW = Date.UTC(2026, 10, 20, 12, 34, 56);
const range = (text: string, zone = "UTC") => {
  const found = parseRange(text, NOW, zone);
  assert.ok(found, text);
  return found;
};
const iso = (instant: number) => new Date(instant).toISOString();

test("sliding ranges end now and stay relative for the server", () => {
  assert.equal(iso(range("45m").from), "2026-11-20T11:49:56.000Z");
  assert.deepEqual(apiRange(range("45m")), { from: "-45m", to: "now" });
  assert.deepEqual(apiRange(range("past 2 weeks")), { from: "-14d", to: "now" });
  assert.equal(range("1h").label, "Past hour");
});

test("growing ranges begin at a calendar boundary of the zone", () => {
  assert.equal(iso(range("mtd").from), "2026-11-01T00:00:00.000Z");
  assert.equal(iso(range("today", "Europe/Berlin").from), "2026-11-19T23:00:00.000Z");
  assert.equal(iso(range("since monday").from), "2026-11-16T00:00:00.000Z");
  assert.equal(iso(range("since saturday").from), "2026-11-14T00:00:00.000Z");
  assert.equal(apiRange(range("mtd")).to, "now");
});

test("a typed last day is inside the range", () => {
  const found = range("2026-11-01..2026-11-07");
  assert.equal(iso(found.from), "2026-11-01T00:00:00.000Z");
  assert.equal(iso(found.to), "2026-11-08T00:00:00.000Z");
  assert.equal(found.label, "2026-11-01 – 2026-11-07");
  assert.equal(iso(range("last month").to), "2026-11-01T00:00:00.000Z");
});

test("nonsense is no range", () => {
  for (const text of ["", "0h", "-5m", "7", "2026-13-01", "2026-11-07..2026-11-01", "tomorrow", "999999d", "since 2030-01-01"]) {
    assert.equal(parseRange(text, NOW, "UTC"), null, text);
  }
});

test("a zoomed range survives its way through the URL", () => {
  const from = Date.UTC(2026, 10, 19, 6);
  const found = range(fixedText(from, from + 3_600_000), "America/New_York");
  assert.equal(found.from, from);
  assert.equal(found.to, from + 3_600_000);
});

test("a shift moves by the length of the range and never into the future", () => {
  assert.equal(iso(range(shifted(range("24h"), -1, NOW)).to), "2026-11-19T12:34:56.000Z");
  assert.equal(range(shifted(range("24h"), 1, NOW)).to, NOW);
  const wide = range(zoomedOut(range("24h"), NOW));
  assert.equal(wide.to - wide.from, 2 * 86_400_000);
});

test("a day of a clock change has 23 or 25 buckets", () => {
  const count = (day: string) => buckets(range(day, "Europe/Berlin").from, range(day, "Europe/Berlin").to, "hour", "Europe/Berlin").length;
  assert.equal(count("2026-03-29"), 23);
  assert.equal(count("2026-10-25"), 25);
  assert.equal(count("2026-11-20"), 24);
});

test("calendar steps keep the wall clock across a clock change", () => {
  const start = instantOf({ year: 2026, month: 3, day: 28 }, "Europe/Berlin");
  assert.equal(iso(add(start, "day", 2, "Europe/Berlin")), "2026-03-29T22:00:00.000Z");
  assert.equal(iso(add(instantOf({ year: 2026, month: 1, day: 31 }, "UTC"), "month", 1, "UTC")), "2026-02-28T00:00:00.000Z");
  assert.equal(iso(floor(NOW, "week", "UTC")), "2026-11-16T00:00:00.000Z");
  assert.equal(iso(floor(NOW, "hour", "Asia/Kolkata")), "2026-11-20T12:30:00.000Z");
});

test("the automatic interval gives a readable number of buckets", () => {
  const pairs = [["15m", "minute"], ["3h", "minute"], ["24h", "hour"], ["7d", "hour"], ["30d", "day"], ["52w", "week"], ["200w", "month"]];
  for (const [text, interval] of pairs) assert.equal(autoInterval(range(text ?? "")), interval, text);
});
