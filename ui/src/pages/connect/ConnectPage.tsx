import { Select, Tabs } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useState } from "react";
import { useApplication } from "@/components/ApplicationSwitch";
import { PageHead } from "@/components/Shell";
import { CopyButton, Skeleton } from "@/components/bits";
import { Waiting } from "./Waiting";
import { ways, type Way } from "./snippets";

/** The empty state of the whole product: paste three lines on the left, see the first call on the right. */
export function ConnectPage() {
  const application = useApplication();
  return (
    <div className="tk-page tk-connect">
      <PageHead title="Connect" note={<p className="tk-dim">Three lines in your API, and every call shows up here within a second.</p>} />
      <div className="tk-connect-split">
        <section className="tk-card tk-connect-how" aria-label="How to send events">
          {application ? <Snippets collectorId={application.collector_id} /> : <Skeleton height={320} />}
        </section>
        <section className="tk-connect-live" aria-label="First event">
          {application && <Waiting key={application.id} application={application} />}
        </section>
      </div>
    </div>
  );
}

function Snippets({ collectorId }: { collectorId: string }) {
  const all = ways(window.location.origin, collectorId);
  const [key, setKey] = useState("fastapi");
  const isNarrow = useMediaQuery("(max-width: 700px)");
  const chosen = all.find((way) => way.key === key) ?? all[0];
  if (isNarrow) {
    return (
      <div className="tk-connect-narrow">
        <Select label="Your stack" data={all.map((way) => ({ value: way.key, label: way.label }))} value={key} onChange={(value) => setKey(value ?? key)} allowDeselect={false} maxDropdownHeight={420} />
        {chosen && <Steps way={chosen} collectorId={collectorId} />}
      </div>
    );
  }
  return (
    <Tabs value={key} onChange={(value) => setKey(value ?? key)} orientation="vertical" className="tk-ways" keepMounted={false}>
      <Tabs.List aria-label="Your stack">
        {all.map((way) => <Tabs.Tab key={way.key} value={way.key}>{way.label}</Tabs.Tab>)}
      </Tabs.List>
      {all.map((way) => <Tabs.Panel key={way.key} value={way.key}><Steps way={way} collectorId={collectorId} /></Tabs.Panel>)}
    </Tabs>
  );
}

function Steps({ way, collectorId }: { way: Way; collectorId: string }) {
  return (
    <div className="tk-steps">
      <p>{way.intro}</p>
      {way.steps.map((step, index) => (
        <div key={step.title} className="tk-step">
          <div className="tk-step-head">
            <h2><span className="tk-step-number" aria-hidden="true">{index + 1}</span>{step.title}</h2>
            <CopyButton text={step.code} label={`Copy: ${step.title}`} />
          </div>
          <pre className="tk-code" tabIndex={0} aria-label={step.title}><code>{step.code.split("\n").map((line, at) => <Line key={at} text={line} collectorId={collectorId} />)}</code></pre>
        </div>
      ))}
      {way.after && <p className="tk-dim">{way.after}</p>}
    </div>
  );
}

/** A line that is too long goes on under its own indent; what is copied from it is still one line. */
function Line({ text, collectorId }: { text: string; collectorId: string }) {
  const indent = text.length - text.trimStart().length;
  return <span className="tk-code-line" style={{ "--indent": `${indent + 2}ch` } as React.CSSProperties}>{marked(text, collectorId)}{"\n"}</span>;
}

/** The snippet with its own values made visible, so that one sees what is already filled in. */
function marked(code: string, collectorId: string) {
  const origin = window.location.origin;
  const parts = code.split(new RegExp(`(${[collectorId, origin].map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`));
  return parts.map((part, index) => (part === collectorId || part === origin ? <mark key={index} className="tk-filled">{part}</mark> : part));
}
