import { notifications } from "@mantine/notifications";

/** Copy with the clipboard API, or the old way where that is not allowed (plain HTTP on another host). */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.setAttribute("readonly", "");
  area.className = "tk-hidden";
  const focused = document.activeElement as HTMLElement | null;
  document.body.append(area);
  area.select();
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- the only way on a page that came by plain HTTP
  const done = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return done;
}

export async function copyWithToast(text: string, what: string): Promise<void> {
  const done = await copyText(text);
  notifications.show(
    done
      ? { id: "copied", message: `${what} copied`, autoClose: 1800 }
      : { id: "copied", color: "red", message: `The browser refused to copy; select it by hand` },
  );
}

export const copyLink = (): void => void copyWithToast(window.location.href, "Link");
