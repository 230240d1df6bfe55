// From the files that somebody gave to what they prove together.
import * as tlog from "./tlog";

export interface GivenFile {
  name: string;
  bytes: tlog.Bytes;
}

export type Kind = "answer" | "proof" | "key" | "entry";
export type State = "proven" | "waiting" | "refused";

// A witness whose cosignature was verified with a key that was given.
export interface Cosigner {
  key: tlog.Key;
  time: number; // POSIX seconds
}

// What one proof file shows.
export interface Finding {
  file: string;
  state: State;
  why?: string; // unless proven: what is missing or wrong
  proof?: tlog.Proof; // undefined when it could not be read
  key?: tlog.Key; // the log's, once the signature was verified
  cosigners: Cosigner[];
  unknownSigners: number; // whose keys were not given: nobody is named by what nobody checked
  entryFile?: string;
  entry?: tlog.Bytes;
  steps: tlog.Step[];
  recordedBy?: Finding; // the proof of an entry, in another log, that records this checkpoint
}

export interface Report {
  state: State;
  missing: string[]; // what to give next
  findings: Finding[];
}

const text = (bytes: tlog.Bytes): string => new TextDecoder().decode(bytes);
const stem = (name: string): string => name.replace(/\.[^.]*$/, "");

interface Pair {
  entry: string | null;
  proof: string;
}

// What `GET .../proof/{index}/witnessed` answers, if it is that.
function witnessedProof(file: GivenFile): Pair & { record: Pair | null } | undefined {
  try {
    const value = JSON.parse(text(file.bytes));
    return value?.object === "witnessed_proof" ? value : undefined;
  } catch {
    return undefined;
  }
}

// The files that `audit prove` would have written instead.
function filesIn(file: GivenFile): GivenFile[] {
  const answer = witnessedProof(file);
  if (!answer) return [file];
  const pair = ({ entry, proof }: Pair, name: string): GivenFile[] =>
    [[proof, "tlog-proof"], [entry, "json"]].flatMap(([content, extension]) =>
      typeof content === "string"
        ? { name: `${name}.${extension}`, bytes: tlog.utf8(content) } : []);
  const name = stem(file.name);
  return [...pair(answer, name), ...answer.record ? pair(answer.record, `${name}, record`) : []];
}

export function kindOf(file: GivenFile): Kind {
  if (witnessedProof(file)) return "answer";
  if (tlog.isProof(text(file.bytes))) return "proof";
  return /^[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+\s*$/.test(text(file.bytes)) ? "key" : "entry";
}

function refuse(finding: Finding, error: unknown): Finding {
  if (!(error instanceof tlog.Refused)) throw error;
  return { ...finding, state: "refused", why: error.message };
}

// Checks all but the entry.
async function open(file: GivenFile, keys: tlog.Key[]): Promise<Finding> {
  let finding: Finding = { file: file.name, state: "waiting", cosigners: [],
    unknownSigners: 0, steps: [] };
  try {
    const proof = tlog.parseProof(text(file.bytes));
    finding = { ...finding, proof };
    if (!keys.some(({ type }) => type === tlog.ED25519)) {
      return { ...finding, why: "the log's key is missing" };
    }
    const key = await tlog.verifyCheckpoint(proof, keys);
    const others = new Set(proof.note.signatures.map(({ name, id }) => `${name} ${id}`));
    others.delete(`${key.name} ${key.id}`);
    const witnesses = keys.filter(({ name, id }) => others.delete(`${name} ${id}`));
    const cosigners: Cosigner[] = [];
    for (const witness of witnesses) {
      const time = await tlog.verifyCosignature(proof.note, witness);
      if (time !== undefined) cosigners.push({ key: witness, time });
    }
    return { ...finding, key, cosigners, unknownSigners: others.size };
  } catch (error) {
    return refuse(finding, error);
  }
}

async function stepsOf(finding: Finding, entry: GivenFile): Promise<Finding> {
  try {
    const steps = await tlog.verifyInclusion(finding.proof!, entry.bytes);
    return { ...finding, state: "proven", entryFile: entry.name, entry: entry.bytes, steps };
  } catch (error) {
    return refuse(finding, error);
  }
}

// The proof with the entry that it is of. An entry of the same name, and else one that fits no
// other proof, is what was meant: that it does not fit is news.
async function withEntry(finding: Finding, entries: GivenFile[],
                         used: Set<string>): Promise<Finding> {
  if (!finding.key) return finding;
  const tried: [GivenFile, Finding][] = [];
  for (const entry of entries) tried.push([entry, await stepsOf(finding, entry)]);
  const fits = tried.find(([, { state }]) => state === "proven");
  const meant = fits ?? tried.find(([{ name }]) => stem(name) === stem(finding.file)) ??
    tried.find(([{ name }]) => !used.has(name));
  return meant?.[1] ?? { ...finding, why: `its entry, ${finding.proof!.index}, is missing` };
}

async function entriesInUse(findings: Finding[], entries: GivenFile[]): Promise<Set<string>> {
  const used = new Set<string>();
  for (const finding of findings.filter(({ key }) => key)) {
    for (const entry of entries) {
      if ((await stepsOf(finding, entry)).state === "proven") used.add(entry.name);
    }
  }
  return used;
}

// Only the operator's logs tell of others, and only of those at their own place: <place>/<owner>/
// <shard>. A merchant's log may hold an entry that says the same.
const placeOf = (origin: string): string => origin.split("/").slice(0, -2).join("/");
const isOperators = (origin: string): boolean => origin.split("/").at(-2) === "operator";

function linkRecords(findings: Finding[]) {
  const records = findings.filter(({ entry, state, proof }) =>
    entry && state === "proven" && isOperators(proof!.checkpoint.origin));
  for (const record of records) {
    const place = placeOf(record.proof!.checkpoint.origin);
    const recorded = tlog.recordedCheckpoint(record.entry!);
    if (!recorded || placeOf(recorded.origin) !== place) continue;
    for (const told of findings) { // of several entries up to one checkpoint each has a proof
      if (told.state === "proven" && tlog.sameCheckpoint(told.proof!.checkpoint, recorded)) {
        told.recordedBy = record;
      }
    }
  }
}

// Who gives a witness's key asks whether it stands for the log: by its cosignature of the
// checkpoint in the proof of what records this one, or of this one where there is no record.
function demandWitnesses(finding: Finding, witnesses: tlog.Key[]): Finding {
  const found = (finding.recordedBy ?? finding).cosigners;
  const absent = witnesses.filter(({ name, id }) =>
    !found.some(({ key }) => key.name === name && key.id === id));
  if (finding.state !== "proven" || absent.length === 0) return finding;
  const names = absent.map(({ name }) => name).join(", ");
  return { ...finding, state: "refused",
    why: `no cosignature of ${names}, whose key was given, stands for it` };
}

export async function check(given: GivenFile[], keyLines: string): Promise<Report> {
  const files = given.flatMap(filesIn);
  const ofKind = (kind: Kind) => files.filter((file) => kindOf(file) === kind);
  const lines = [keyLines, ...ofKind("key").map(({ bytes }) => text(bytes))]
    .flatMap((given) => given.split("\n")).filter((line) => line.trim() !== "");
  const keys: tlog.Key[] = [];
  for (const line of lines) keys.push(await tlog.parseKey(line));
  const entries = ofKind("entry");
  const opened: Finding[] = [];
  for (const file of ofKind("proof")) opened.push(await open(file, keys));
  const used = await entriesInUse(opened, entries);
  const findings: Finding[] = [];
  for (const finding of opened) findings.push(await withEntry(finding, entries, used));
  linkRecords(findings);
  const witnesses = keys.filter(({ type }) => type !== tlog.ED25519);
  const judged = findings.map((finding) => demandWitnesses(finding, witnesses));
  const missing = [
    findings.length === 0 && "a proof file (.tlog-proof)",
    entries.length === 0 && "its entry (.json)",
    !keys.some(({ type }) => type === tlog.ED25519) && "the log's key",
  ].filter((what) => what !== false);
  const states = judged.map(({ state }) => state);
  const state = states.includes("refused") ? "refused"
    : missing.length > 0 || states.includes("waiting") ? "waiting" : "proven";
  return { state, missing, findings: judged };
}
