import { Modal, Switch } from "@mantine/core";
import { Fragment } from "react";
import { setShortcuts, SHORTCUTS, useShortcutsOn } from "@/state/shortcuts";

export function Keys({ keys }: { keys: string }) {
  const mac = /mac|iphone|ipad/i.test(navigator.userAgent);
  const parts = keys.replace("mod+k", mac ? "⌘ K" : "Ctrl K").split(" ");
  return <span className="tk-keys">{parts.map((key) => <kbd key={key} className="tk-key">{key}</kbd>)}</span>;
}

/** What `?` opens. Single-letter shortcuts can be turned off, as speech users need (WCAG 2.1.4). */
export function ShortcutList({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const isOn = useShortcutsOn();
  return (
    <Modal opened={isOpen} onClose={onClose} title="Keyboard shortcuts" size="lg" closeButtonProps={{ "aria-label": "Close" }}>
      <div className="tk-shortcuts">
        {SHORTCUTS.map(({ group, keys }) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl>
              {keys.map((shortcut) => (
                <Fragment key={shortcut.keys}>
                  <dt>{shortcut.does}</dt>
                  <dd><Keys keys={shortcut.keys} /></dd>
                </Fragment>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <Switch mt="md" label="Single-letter shortcuts" checked={isOn} onChange={(event) => setShortcuts(event.currentTarget.checked)} />
    </Modal>
  );
}
