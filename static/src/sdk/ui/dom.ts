/** Elements without markup as text: pages with trusted types take no other. */

type Attributes = Readonly<Record<string, string | boolean | ((event: Event) => void) | undefined>>;

export function el<K extends keyof HTMLElementTagNameMap>(name: K, attributes: Attributes = {}, ...children: (Node | string | null)[]): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  put(made, attributes, children);
  return made;
}

export function svg<K extends keyof SVGElementTagNameMap>(name: K, attributes: Attributes = {}, ...children: Node[]): SVGElementTagNameMap[K] {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  put(made, attributes, children);
  return made;
}

function put(element: Element, attributes: Attributes, children: (Node | string | null)[]): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (typeof value === "string") element.setAttribute(name, value);
  }
  element.append(...children.filter((one) => one !== null));
}

/** By the object model, which `style-src` does not forbid. */
export function place(element: HTMLElement | SVGElement, values: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(values)) element.style.setProperty(name, value);
}

/** A press so soon after what it answers came was meant for something else. */
export const CALM_MS = 500;

/** A button that only a person presses: a script of the page cannot say yes for the customer. */
export function press(label: string, run: () => void, attributes: Attributes = {}): HTMLButtonElement {
  return el("button", { type: "button", ...attributes, click: (event: Event) => void (event.isTrusted && run()) }, label);
}
