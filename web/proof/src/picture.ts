// The way from the entry to the root as a picture: the root at the top, beside each step the hash
// that the proof brought, and with each hash the entries that it stands for.
import { svg } from "./element";
import { hex, type Bytes, type Step, type Subtree } from "./tlog";

const ROW = 64;
const BOX = { width: 148, height: 36 };
const MIDDLE = 260;
const ASIDE = 176; // from the middle to a sibling
const TOP = 28;

export const entriesText = ({ begin, end }: Subtree): string =>
  end - begin === 1 ? `entry ${begin}` : `entries ${begin}\u2013${end - 1}`;

function box(x: number, y: number, kind: string, title: string, hash: Bytes): SVGElement {
  return svg("g", { class: kind, transform: `translate(${x} ${y})` },
    svg("rect", { x: `${-BOX.width / 2}`, y: `${-BOX.height / 2}`, width: `${BOX.width}`,
                  height: `${BOX.height}`, rx: "6" }),
    svg("text", { y: "-3" }, title),
    svg("text", { y: "12", class: "hash" }, `${hex(hash).slice(0, 12)}\u2026`));
}

function line(x: number, y: number, toY: number): SVGElement {
  return svg("path", { d: `M${x} ${y - BOX.height / 2} L${MIDDLE} ${toY + BOX.height / 2}` });
}

export function picture(index: number, leaf: Bytes, steps: Step[]): SVGElement {
  const height = TOP * 2 + steps.length * ROW;
  const drawing = svg("svg", { viewBox: `0 0 ${MIDDLE * 2} ${height}`, "aria-hidden": "true",
                               class: "picture" });
  const rowY = (row: number) => height - TOP - row * ROW;
  for (const [row, step] of steps.entries()) {
    const siblingX = MIDDLE + (step.onLeft ? -ASIDE : ASIDE);
    drawing.append(line(MIDDLE, rowY(row), rowY(row + 1)), line(siblingX, rowY(row), rowY(row + 1)),
      box(siblingX, rowY(row), "sibling", entriesText(step.covers), step.sibling));
  }
  let reached: Subtree = { begin: index, end: index + 1 };
  drawing.append(box(MIDDLE, rowY(0), steps.length === 0 ? "root" : "own", entriesText(reached),
    leaf));
  for (const [row, { covers, result }] of steps.entries()) {
    const [a, b] = [reached, covers];
    reached = { begin: Math.min(a.begin, b.begin), end: Math.max(a.end, b.end) };
    drawing.append(box(MIDDLE, rowY(row + 1), row + 1 === steps.length ? "root" : "own",
      entriesText(reached), result));
  }
  return drawing;
}
