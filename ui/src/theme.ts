import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";

/** The colour of our own things: links, focus, the chosen. Dark enough for white text on shade 6. */
const iris: MantineColorsTuple = [
  "#eef0fd", "#dfe2fa", "#bdc3f3", "#99a2ec", "#7a84e4", "#6069db", "#4a51cf", "#3d43b8", "#33389b", "#292d7c",
];

const slate: MantineColorsTuple = [
  "#e3e6ee", "#c9cdd8", "#a0a8ba", "#6f788d", "#343c50", "#272d3e", "#1b2030", "#151925", "#10141f", "#0b0e17",
];

export const theme = createTheme({
  fontFamily: "'Inter Variable', system-ui, -apple-system, 'Segoe UI', sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SFMono-Regular', 'Cascadia Code', Menlo, Consolas, 'DejaVu Sans Mono', monospace",
  primaryColor: "iris",
  primaryShade: { light: 6, dark: 6 },
  colors: { iris, dark: slate },
  defaultRadius: "md",
  radius: { xs: "4px", sm: "6px", md: "8px", lg: "12px", xl: "16px" },
  fontSizes: { xs: "12px", sm: "13px", md: "14px", lg: "16px", xl: "20px" },
  headings: { fontWeight: "640", sizes: { h1: { fontSize: "20px", lineHeight: "1.3" }, h2: { fontSize: "15px", lineHeight: "1.4" } } },
  cursorType: "pointer",
  focusRing: "auto",
  respectReducedMotion: true,
  components: {
    Tooltip: { defaultProps: { openDelay: 350, withArrow: true, transitionProps: { duration: 80 } } },
    // A menu's own place holder for the first focus is no menu item, which its role forbids.
    Menu: { defaultProps: { shadow: "md", radius: "md", transitionProps: { duration: 80 }, withInitialFocusPlaceholder: false } },
    // Whatever opens (menus, suggestions, pickers) is drawn inside the page's main landmark.
    Popover: { defaultProps: { shadow: "md", radius: "md", transitionProps: { duration: 80 }, portalProps: { target: "#opened" } } },
    Button: { defaultProps: { size: "sm" } },
    ActionIcon: { defaultProps: { variant: "subtle", color: "gray", size: "md" } },
  },
});

/** Mantine's own dimmed, placeholder, anchor and light-variant colours miss 4.5:1, so they are set here. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-body": "#ffffff",
    "--mantine-color-text": "#1b2030",
    "--mantine-color-dimmed": "#5a6275",
    "--mantine-color-placeholder": "#666e80",
    "--mantine-color-anchor": "#3d43b8",
    "--mantine-color-default-border": "#dcdfe7",
    "--mantine-color-error": "#b3261e",
    "--mantine-color-iris-light": "#eef0fd",
    "--mantine-color-iris-light-color": "#33389b",
    "--mantine-color-gray-light-color": "#3f4658",
    "--mantine-color-gray-outline": "#3f4658",
  },
  dark: {
    "--mantine-color-body": "#151925",
    "--mantine-color-text": "#e3e6ee",
    "--mantine-color-dimmed": "#a0a8ba",
    "--mantine-color-placeholder": "#959db0",
    "--mantine-color-anchor": "#a9b1f5",
    "--mantine-color-default-border": "#2d3446",
    "--mantine-color-error": "#ff9c94",
    "--mantine-color-iris-light": "#262b57",
    "--mantine-color-iris-light-color": "#c6ccfa",
    "--mantine-color-gray-light-color": "#c9cdd8",
    "--mantine-color-gray-outline": "#c9cdd8",
  },
});
