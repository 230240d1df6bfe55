// The page: takes files and keys, shows what they prove. All of it happens here, in the browser.
import "./style.css";
import { check, kindOf, type Finding, type GivenFile, type Report, type State } from "./check";
import { html } from "./element";
import { entriesText, picture } from "./picture";
import { canVerify, hex, keyText, leafHash, toBase64 } from "./tlog";

const FILE_BYTES_MAX = 64 * 1024;
const KINDS = { answer: "witnessed proof", proof: "proof file", key: "key", entry: "entry" };
const VERDICTS: Record<State, string> = {
  proven: "Proven", waiting: "Not checked yet", refused: "Not proven",
};

const byId = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const files = new Map<string, GivenFile>();

const timeText = (seconds: number): string =>
  new Date(seconds * 1000).toISOString().replace("T", " ").replace(".000Z", " UTC");

function summary(report: Report): string {
  if (report.missing.length > 0) return `Please give ${report.missing.join(", ")}.`;
  const { state } = report;
  const shown = report.findings.find((finding) => finding.state === state)!;
  if (state !== "proven") return `${shown.file}: ${shown.why}.`;
  return report.findings.map(({ proof }) => `Entry ${proof!.index} of ` +
    `${proof!.checkpoint.origin} is exactly the one given, and the log's key has signed for it.`)
    .join(" ");
}

function cosignersText({ cosigners, unknownSigners, recordedBy }: Finding): string {
  const told = cosigners.map(({ key, time }) =>
    `${key.name}, an Ed25519 cosignature of ${timeText(time)}, by ${keyText(key)}: verified`);
  if (recordedBy) {
    const { index, checkpoint } = recordedBy.proof!;
    const names = recordedBy.cosigners.map(({ key }) => key.name).join(", ");
    told.push(`entry ${index} of ${checkpoint.origin} records this checkpoint ` +
      `(${recordedBy.file}), ` + (names ? `and ${names}, who cosigned that log, so stands for it`
        : "and no witness whose key was given stands for that log"));
  }
  if (told.length === 0) told.push("none: only the log's own signature stands for this checkpoint");
  if (unknownSigners > 0) {
    told.push(`${unknownSigners} more by keys that were not given: not checked`);
  }
  return told.join("; ");
}

function facts(finding: Finding): HTMLElement {
  const { index, checkpoint } = finding.proof!;
  const { key } = finding;
  const rows: [string, string][] = [
    ["Log", checkpoint.origin],
    ["Entry", `${index}, in a log of ${checkpoint.size} entries, the first being 0`],
    ["Root", toBase64(checkpoint.root)],
    ["Signed by", key ? `${keyText(key)}: verified` : "not verified"],
    ["Cosigned by", key ? cosignersText(finding) : "not verified"],
  ];
  return html("dl", {}, ...rows.flatMap(([term, text]) =>
    [html("dt", {}, term), html("dd", {}, text)]));
}

function entryText(bytes: Uint8Array): string {
  const exact = new TextDecoder().decode(bytes);
  try {
    return JSON.stringify(JSON.parse(exact), null, 2);
  } catch {
    return exact;
  }
}

async function path(finding: Finding): Promise<HTMLElement> {
  const { proof, steps } = finding;
  const leaf = await leafHash(finding.entry!);
  const lines = steps.map(({ sibling, onLeft, covers, result }) => html("li", {},
    `with the hash of ${entriesText(covers)} on the ${onLeft ? "left" : "right"}, `,
    html("code", {}, hex(sibling)), ", gives ", html("code", {}, hex(result))));
  return html("div", { class: "path" },
    html("h3", {}, "From the entry to the signed root"),
    picture(proof!.index, leaf, steps),
    html("details", {}, html("summary", {}, "Every step, hash by hash"),
      html("p", {}, "The entry's hash is ", html("code", {}, hex(leaf)), "."),
      html("ol", {}, ...lines)));
}

async function card(finding: Finding): Promise<HTMLElement> {
  const { file, state, why, proof, entryFile, entry } = finding;
  const section = html("section", { class: `finding ${state}` },
    html("h2", {}, html("span", { class: "state" }, VERDICTS[state]), ` ${file}`));
  if (why) section.append(html("p", { class: "why" }, `${why[0]!.toUpperCase()}${why.slice(1)}.`));
  if (proof) section.append(facts(finding));
  if (entry) {
    section.append(html("h3", {}, `The entry, ${entryFile}, indented for reading`),
      html("pre", { tabindex: "0" }, entryText(entry)), await path(finding));
  }
  return section;
}

function showFiles() {
  byId("given").replaceChildren(...Array.from(files.values(), (file) =>
    html("li", {}, html("span", { class: "kind" }, KINDS[kindOf(file)]), ` ${file.name}`)));
  byId("again").hidden = files.size === 0;
}

function showVerdict(state: State, text: string) {
  const verdict = byId("verdict");
  verdict.className = state;
  verdict.replaceChildren(html("strong", {}, VERDICTS[state]), html("p", {}, text));
}

let latest = 0;

async function show() {
  const turn = ++latest; // an earlier check may end later
  showFiles();
  let report: Report;
  try {
    report = await check([...files.values()], byId<HTMLTextAreaElement>("keys").value);
  } catch (error) {
    if (turn !== latest) return;
    byId("findings").replaceChildren();
    showVerdict("refused", `${(error as Error).message}.`);
    return;
  }
  const cards = await Promise.all(report.findings.map(card));
  if (turn !== latest) return;
  byId("findings").replaceChildren(...cards);
  showVerdict(report.state, summary(report));
}

async function take(given: FileList) {
  for (const file of given) {
    if (file.size > FILE_BYTES_MAX) {
      showVerdict("refused", `${file.name} is too large for a proof, an entry or a key.`);
      return;
    }
    files.set(file.name, { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) });
  }
  await show();
}

function startOver() {
  files.clear();
  byId<HTMLInputElement>("files").value = "";
  byId<HTMLTextAreaElement>("keys").value = "";
  void show();
}

function listen() {
  const chooser = byId<HTMLInputElement>("files");
  chooser.addEventListener("change", () => void take(chooser.files!));
  byId("keys").addEventListener("input", () => void show());
  byId("again").addEventListener("click", startOver);
  const body = document.body;
  body.addEventListener("dragover", (event) => {
    event.preventDefault();
    body.classList.add("over");
  });
  body.addEventListener("dragleave", () => body.classList.remove("over"));
  body.addEventListener("drop", (event) => {
    event.preventDefault();
    body.classList.remove("over");
    if (event.dataTransfer) void take(event.dataTransfer.files);
  });
}

if (await canVerify()) {
  listen();
  await show();
} else {
  byId("ask").hidden = true;
  showVerdict("waiting", "This browser cannot check Ed25519 signatures. Chromium, Chrome and " +
    "Edge can from version 137, Firefox from 130, Safari from 17. Nothing was checked.");
}
