// Elements of the page, from names, attributes and children: text stays text.
type Child = Node | string;

function fill(element: Element, attributes: Record<string, string>, children: Child[]) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
}

export function html(tag: string, attributes: Record<string, string> = {},
                     ...children: Child[]): HTMLElement {
  const element = document.createElement(tag);
  fill(element, attributes, children);
  return element;
}

export function svg(tag: string, attributes: Record<string, string> = {},
                    ...children: Child[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  fill(element, attributes, children);
  return element;
}
