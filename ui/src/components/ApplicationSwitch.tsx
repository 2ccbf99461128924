import { Button, Menu } from "@mantine/core";
import { Check, ChevronDown } from "lucide-react";
import { useApplications } from "@/api/queries";
import type { Application } from "@/api/types";
import { useView } from "@/state/view";

/** The application of the URL, else the first one; null while unknown. */
export function useApplication(): Application | null {
  const { view } = useView();
  const { data } = useApplications();
  return data?.find((application) => application.id === view.app) ?? data?.[0] ?? null;
}

export function ApplicationSwitch() {
  const { data = [] } = useApplications();
  const current = useApplication();
  const { change } = useView();
  return (
    <Menu position="bottom-start" width={240}>
      <Menu.Target>
        <Button variant="default" className="tk-app" rightSection={<ChevronDown size={14} aria-hidden="true" />} aria-label={`Application: ${current?.name ?? "…"}`}>
          <span className="tk-app-dot" aria-hidden="true" />
          <span className="tk-ellipsis">{current?.name ?? "…"}</span>
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Application</Menu.Label>
        {data.map((application) => (
          <Menu.Item
            key={application.id}
            onClick={() => change({ app: application.id === data[0]?.id ? undefined : application.id, sel: undefined })}
            rightSection={application.id === current?.id ? <Check size={14} aria-label="chosen" /> : null}
          >
            <div>{application.name}</div>
            <div className="tk-dim tk-mono">{application.id}</div>
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
