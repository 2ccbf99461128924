import { Button, Popover, TextInput } from "@mantine/core";
import { Globe } from "lucide-react";
import { useState } from "react";
import { browserZone, isZone } from "@/state/calendar";
import { zoneShort } from "@/state/format";
import { preferZone } from "@/state/zone";
import { useView, useZone } from "@/state/view";

/** Choosing a zone writes it into the URL and remembers it for the next visit. */
function useChooseZone(): (zone: string) => void {
  const { change } = useView();
  return (zone) => {
    preferZone(zone);
    change({ tz: zone });
  };
}

export function useZoneToggle(): () => void {
  const zone = useZone();
  const choose = useChooseZone();
  return () => choose(zone === "UTC" ? browserZone() : "UTC");
}

/** Two or three zones to click, and all others by typing. */
export function ZoneSwitch() {
  const zone = useZone();
  const choose = useChooseZone();
  const [isOpen, setOpen] = useState(false);
  const pick = (name: string) => {
    setOpen(false);
    choose(name);
  };
  return (
    <Popover opened={isOpen} onChange={setOpen} position="bottom-end" width={270} trapFocus returnFocus>
      <Popover.Target>
        <Button
          variant="subtle" color="gray" className="tk-zone" leftSection={<Globe size={15} aria-hidden="true" />} onClick={() => setOpen(!isOpen)}
          aria-label={`Time zone: ${zone}`} aria-haspopup="dialog" aria-expanded={isOpen}
        >
          {zoneShort(zone)}
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label="Time zone"><ZoneForm zone={zone} onPick={pick} /></Popover.Dropdown>
    </Popover>
  );
}

function ZoneForm({ zone, onPick }: { zone: string; onPick: (zone: string) => void }) {
  const [text, setText] = useState("");
  const local = browserZone();
  const wish = text.trim().toLowerCase().replace(/ /g, "_");
  const found = wish === "" ? [...new Set(["UTC", local, zone])] : Intl.supportedValuesOf("timeZone").filter((name) => name.toLowerCase().includes(wish)).slice(0, 6);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (wish !== "" && found[0] && isZone(found[0])) onPick(found[0]);
      }}
    >
      <TextInput data-autofocus label="Times are shown in" placeholder="Another zone, e.g. Berlin" value={text} onChange={(event) => setText(event.currentTarget.value)} error={found.length === 0 ? "No zone of this name" : null} />
      <div className="tk-presets">
        {found.map((name) => (
          <button key={name} type="button" className="tk-preset" aria-pressed={name === zone} onClick={() => onPick(name)}>
            <span>{name}</span>
            {name === local && name !== "UTC" ? <span className="tk-dim">this browser</span> : null}
          </button>
        ))}
      </div>
    </form>
  );
}
