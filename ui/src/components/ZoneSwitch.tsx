import { Button, Menu, TextInput } from "@mantine/core";
import { Check, Globe } from "lucide-react";
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

export function ZoneSwitch() {
  const zone = useZone();
  const choose = useChooseZone();
  const [text, setText] = useState("");
  const local = browserZone();
  const choices = [...new Set(["UTC", local, zone])];
  const found = text === "" ? [] : Intl.supportedValuesOf("timeZone").filter((name) => name.toLowerCase().includes(text.toLowerCase().replace(/ /g, "_"))).slice(0, 6);
  return (
    <Menu position="bottom-end" width={250} onClose={() => setText("")}>
      <Menu.Target>
        <Button variant="subtle" color="gray" className="tk-zone" leftSection={<Globe size={15} aria-hidden="true" />} aria-label={`Time zone: ${zone}`}>
          {zoneShort(zone)}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Times are shown in</Menu.Label>
        {choices.map((name) => (
          <Menu.Item key={name} onClick={() => choose(name)} rightSection={name === zone ? <Check size={14} aria-label="chosen" /> : null}>
            {name}
            {name === local && name !== "UTC" ? <span className="tk-dim"> · this browser</span> : null}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <TextInput
          size="xs" m={6} placeholder="Another zone, e.g. Berlin" aria-label="Find a time zone" value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            event.stopPropagation();
            if (event.key === "Enter" && found[0] && isZone(found[0])) choose(found[0]);
          }}
        />
        {found.map((name) => <Menu.Item key={name} onClick={() => choose(name)}>{name}</Menu.Item>)}
      </Menu.Dropdown>
    </Menu>
  );
}
