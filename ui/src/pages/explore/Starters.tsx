import { Button, Menu } from "@mantine/core";
import { Activity, Gauge, Lightbulb, Route, TriangleAlert, Users, Building2 } from "lucide-react";
import { useView, type View } from "@/state/view";

interface Starter {
  title: string;
  words: string;
  icon: typeof Users;
  patch: Partial<View>;
}

export const STARTERS: Starter[] = [
  { title: "Calls by user", words: "Who calls, and how much", icon: Users, patch: { m: "count", by: "user", view: "line" } },
  { title: "Calls by customer", words: "The accounts behind the traffic", icon: Building2, patch: { m: "count", by: "customer", view: "line" } },
  { title: "Busiest routes", words: "Calls, errors and p95 of each endpoint", icon: Route, patch: { m: "count,error_rate,p95(duration_ms)", by: "request.route", view: "table" } },
  { title: "Slowest routes", words: "p95 duration over time", icon: Gauge, patch: { m: "p95(duration_ms)", by: "request.route", view: "line" } },
  { title: "Status codes", words: "What the API answers", icon: Activity, patch: { m: "count", by: "response.status", view: "line" } },
  { title: "Who gets errors", words: "Customers with failing calls", icon: TriangleAlert, patch: { m: "count", by: "customer", f: "status:>=400", view: "bars" } },
];

const reset = (patch: Partial<View>): Partial<View> => ({ every: undefined, ...patch, view: patch.view === "line" ? undefined : patch.view });

/** Questions to begin with instead of a blank builder. */
export function StarterCards() {
  const { change } = useView();
  return (
    <section aria-label="Questions to begin with" className="tk-starters">
      {STARTERS.map(({ title, words, icon: Icon, patch }) => (
        <button key={title} type="button" className="tk-card tk-starter" onClick={() => change(reset(patch))}>
          <Icon size={18} aria-hidden="true" />
          <span><b>{title}</b><span className="tk-dim">{words}</span></span>
        </button>
      ))}
    </section>
  );
}

export function StarterMenu() {
  const { change } = useView();
  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target><Button variant="subtle" color="gray" leftSection={<Lightbulb size={15} aria-hidden="true" />}>Questions</Button></Menu.Target>
      <Menu.Dropdown>
        {STARTERS.map(({ title, icon: Icon, patch }) => <Menu.Item key={title} leftSection={<Icon size={15} aria-hidden="true" />} onClick={() => change(reset(patch))}>{title}</Menu.Item>)}
      </Menu.Dropdown>
    </Menu>
  );
}
