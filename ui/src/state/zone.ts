import { browserZone, isZone } from "./calendar";
import { remember, useStored } from "./stored";

/** The zone that the person chose last, else the browser's. */
export function usePreferredZone(): string {
  const stored = useStored("zone");
  return stored && isZone(stored) ? stored : browserZone();
}

export const preferZone = (zone: string): void => remember("zone", zone);
