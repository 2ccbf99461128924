import { ActionIcon, Menu, useComputedColorScheme, useMantineColorScheme, type MantineColorScheme } from "@mantine/core";
import { Check, Monitor, Moon, Sun } from "lucide-react";

const CHOICES: { value: MantineColorScheme; label: string; icon: typeof Sun }[] = [
  { value: "auto", label: "Like the system", icon: Monitor },
  { value: "light", label: "Light", icon: Sun },
  { value: "dark", label: "Dark", icon: Moon },
];

/** Light becomes dark and dark becomes light. */
export function useThemeCycle(): () => void {
  const { setColorScheme } = useMantineColorScheme();
  const shown = useComputedColorScheme("light");
  return () => setColorScheme(shown === "dark" ? "light" : "dark");
}

export function ThemeSwitch() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const shown = useComputedColorScheme("light");
  const Icon = shown === "dark" ? Moon : Sun;
  return (
    <Menu position="bottom-end" width={190}>
      <Menu.Target>
        <ActionIcon aria-label="Theme" title="Theme (. then d)"><Icon size={17} /></ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {CHOICES.map(({ value, label, icon: Each }) => (
          <Menu.Item
            key={value}
            leftSection={<Each size={15} aria-hidden="true" />}
            rightSection={value === colorScheme ? <Check size={14} aria-label="chosen" /> : null}
            onClick={() => setColorScheme(value)}
          >
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
