/** Calls that were made up to have something to look at; they carry the source “sample” wherever they go. */
import type { ApiEvent, Leaf } from "@/api/types";

export const IS_SAMPLE: Leaf = { field: "source", op: "eq", value: "sample" };
export const NO_SAMPLE: Leaf = { field: "source", op: "ne", value: "sample" };

export const isSample = (event: ApiEvent): boolean => event.source === "sample";
