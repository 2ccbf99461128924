import { ActionIcon, Button, Popover, TextInput, Tooltip } from "@mantine/core";
import { CalendarClock, ChevronLeft, ChevronRight, ZoomOut } from "lucide-react";
import { useState } from "react";
import { dayClock, zoneShort } from "@/state/format";
import { useNow } from "@/state/now";
import { DEFAULT_RANGE, parseRange, PRESETS, shifted, zoomedOut } from "@/state/range";
import { useShortcuts } from "@/state/shortcuts";
import { useRange, useView, useZone } from "@/state/view";

/** Presets to click, one box to type into, and steps to earlier, later and wider. */
export function RangePicker() {
  const range = useRange();
  const zone = useZone();
  const { change } = useView();
  const [isOpen, setOpen] = useState(false);
  const set = (text: string) => {
    change({ range: text === DEFAULT_RANGE ? undefined : text });
    setOpen(false);
  };
  const shift = (windows: number) => set(shifted(range, windows, Date.now()));
  const wider = () => set(zoomedOut(range, Date.now()));
  useShortcuts({
    ...Object.fromEntries(PRESETS.flatMap((p) => (p.key ? [[p.key, () => set(p.text)] as const] : []))),
    "←": () => shift(-1),
    "→": range.endsNow ? undefined : () => shift(1),
    z: wider,
    t: () => setOpen(true),
  });
  return (
    <div className="tk-range">
      <Popover opened={isOpen} onChange={setOpen} position="bottom-end" width={300} trapFocus returnFocus>
        <Popover.Target>
          <Button
            variant="default" leftSection={<CalendarClock size={15} aria-hidden="true" />} onClick={() => setOpen(!isOpen)}
            aria-label={`Time range: ${range.label}`} aria-haspopup="dialog" aria-expanded={isOpen}
          >
            {range.label}
          </Button>
        </Popover.Target>
        <Popover.Dropdown aria-label="Time range">
          <RangeForm zone={zone} current={range.text} onSet={set} />
          <div className="tk-presets">
            {PRESETS.map((preset) => (
              <button key={preset.text} type="button" className="tk-preset" aria-pressed={preset.text === range.text} onClick={() => set(preset.text)}>
                <span>{preset.label}</span>
                {preset.key && <kbd className="tk-key" aria-hidden="true">{preset.key}</kbd>}
              </button>
            ))}
          </div>
          <p className="tk-range-note">
            {dayClock(range.from, zone)} – {range.endsNow ? "now" : dayClock(range.to, zone)} · {zoneShort(zone)}
          </p>
        </Popover.Dropdown>
      </Popover>
      <Tooltip label="Earlier (←)"><ActionIcon aria-label="Earlier" onClick={() => shift(-1)}><ChevronLeft size={17} /></ActionIcon></Tooltip>
      <Tooltip label="Later (→)">
        <ActionIcon aria-label="Later" disabled={range.endsNow} onClick={() => shift(1)}><ChevronRight size={17} /></ActionIcon>
      </Tooltip>
      <Tooltip label="Zoom out (z)"><ActionIcon aria-label="Zoom out" onClick={wider}><ZoomOut size={16} /></ActionIcon></Tooltip>
    </div>
  );
}

function RangeForm({ zone, current, onSet }: { zone: string; current: string; onSet: (text: string) => void }) {
  const [text, setText] = useState("");
  const now = useNow(60_000);
  const meant = text === "" ? null : parseRange(text, now, zone);
  const isWrong = text !== "" && meant === null;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (meant) onSet(meant.text);
      }}
    >
      <TextInput
        data-autofocus label="Type a range" placeholder={current} value={text} onChange={(event) => setText(event.currentTarget.value)}
        description={meant ? meant.label : "45m, 7d, mtd, last week, since monday, 2026-11-01..2026-11-07"}
        error={isWrong ? "Not a range that I know" : null}
      />
    </form>
  );
}
