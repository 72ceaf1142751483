// Elements without markup strings: what a record says can never become HTML.

type Child = Node | string | null | undefined | false;
type Attributes = Record<string, string | number | boolean | ((event: Event) => void) | null | undefined>;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Child | Child[])[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) if (child) element.append(child);
  return element;
}

export const select = (label: string, options: [value: string, text: string][], chosen: string, change: (value: string) => void): HTMLElement => {
  const box = h("select", { change: (e) => change((e.target as HTMLSelectElement).value) });
  for (const [value, text] of options) box.append(h("option", { value, selected: value === chosen }, text));
  return h("label", { class: "pick" }, h("span", {}, label), box);
};
