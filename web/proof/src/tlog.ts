// Checks proofs of transparency logs by their published formats: C2SP signed-note, tlog-checkpoint,
// tlog-cosignature and tlog-proof, RFC 6962 and RFC 9162. Nothing here knows of the page.

export type Bytes = Uint8Array<ArrayBuffer>;

// What was given is not what was signed, or not of the published form; the message says which.
export class Refused extends Error {}

// What a key of a note signs: its text; its text and a time.
export const ED25519 = 0x01;
export const COSIGNATURE = 0x04;

const PROOF_HEADER = "c2sp.org/tlog-proof@v1";
const PROOF_HASHES_MAX = 63;
const HASH_BYTES = 32;

export interface Key {
  name: string;
  type: number;
  publicKey: Bytes;
  id: string; // 8 hex digits; another under another name
}

export interface Note {
  text: string; // ends in a newline
  signatures: { name: string; id: string; bytes: Bytes }[];
}

export interface Checkpoint {
  origin: string;
  size: number;
  root: Bytes;
}

export interface Proof {
  index: number;
  hashes: Bytes[]; // the leaf's sibling first
  note: Note;
  checkpoint: Checkpoint; // what the note says; nothing is verified yet
}

export interface Subtree {
  begin: number; // the entries [begin, end)
  end: number;
}

// One step from the leaf to the root.
export interface Step {
  sibling: Bytes;
  onLeft: boolean; // the sibling stands left of what was reached
  covers: Subtree; // the sibling's entries
  result: Bytes;
}

function require(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Refused(what);
}

export const utf8 = (text: string): Bytes => new TextEncoder().encode(text) as Bytes;

function join(...parts: Uint8Array[]): Bytes {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));

const equal = (a: Uint8Array, b: Uint8Array): boolean => hex(a) === hex(b);

// Standard alphabet, padded, and the one canonical form of its bytes.
export function fromBase64(text: string): Bytes {
  let bytes: Bytes;
  try {
    bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  } catch {
    throw new Refused("a line is not base64");
  }
  require(toBase64(bytes) === text, "a line is not canonical base64");
  return bytes;
}

function parseHash(text: string): Bytes {
  const hash = fromBase64(text);
  require(hash.length === HASH_BYTES, "a line is not a hash");
  return hash;
}

function parseDecimal(text: string): number {
  const number = Number(text);
  require(/^(0|[1-9][0-9]*)$/.test(text) && Number.isSafeInteger(number), "a number is malformed");
  return number;
}

const sha256 = async (bytes: Bytes): Promise<Bytes> =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

export const leafHash = (entry: Bytes): Promise<Bytes> => sha256(join(Uint8Array.of(0), entry));

export const nodeHash = (left: Bytes, right: Bytes): Promise<Bytes> =>
  sha256(join(Uint8Array.of(1), left, right));

// Whether this browser can check Ed25519 signatures at all.
export async function canVerify(): Promise<boolean> {
  try {
    await crypto.subtle.importKey("raw", new Uint8Array(32), "Ed25519", false, ["verify"]);
    return true;
  } catch {
    return false;
  }
}

async function verifies(publicKey: Bytes, signature: Bytes, message: Bytes): Promise<boolean> {
  const key = await crypto.subtle.importKey("raw", publicKey, "Ed25519", false, ["verify"]);
  return crypto.subtle.verify("Ed25519", key, signature, message);
}

export async function makeKey(name: string, type: number, publicKey: Bytes): Promise<Key> {
  const digest = await sha256(join(utf8(`${name}\n`), Uint8Array.of(type), publicKey));
  return { name, type, publicKey, id: hex(digest.subarray(0, 4)) };
}

export const keyText = ({ name, type, publicKey, id }: Key): string =>
  `${name}+${id}+${toBase64(join(Uint8Array.of(type), publicKey))}`;

// A verifier key, as "name+id+base64": of a log (ED25519) or of a witness (COSIGNATURE).
export async function parseKey(text: string): Promise<Key> {
  const parts = /^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text.trim());
  require(parts, "a line is not a verifier key");
  const [, name, id, encoded] = parts as unknown as [string, string, string, string];
  const data = fromBase64(encoded);
  const type = data[0] ?? 0;
  require(data.length === 33 && (type === ED25519 || type === COSIGNATURE),
    `the key of ${name} is not an Ed25519 key`);
  const key = await makeKey(name, type, data.slice(1));
  require(key.id === id, `the key id of ${name} does not belong to its key`);
  return key;
}

export function parseNote(text: string): Note {
  require(!/[\0-\x09\x0b-\x1f]/.test(text), "the checkpoint holds a control character");
  const end = text.lastIndexOf("\n\n");
  require(end > 0 && text.endsWith("\n"), "the checkpoint has no signatures");
  const lines = text.slice(end + 2, -1).split("\n");
  const signatures = lines.map((line) => {
    const parts = /^\u2014 ([^\s+]+) (\S+)$/.exec(line);
    require(parts, "a line of the checkpoint is not a signature");
    const [, name, encoded] = parts as unknown as [string, string, string];
    const bytes = fromBase64(encoded);
    require(bytes.length > 4, "a signature is too short");
    return { name, id: hex(bytes.subarray(0, 4)), bytes: bytes.slice(4) };
  });
  return { text: text.slice(0, end + 1), signatures };
}

export function parseCheckpoint(text: string): Checkpoint {
  const [origin, size, root, ...more] = text.split("\n");
  require(origin && size && root && more.pop() === "" && more.every(Boolean),
    "the checkpoint has not origin, size and root");
  return { origin, size: parseDecimal(size), root: parseHash(root) };
}

export const isProof = (text: string): boolean => text.startsWith(`${PROOF_HEADER}\n`);

export function parseProof(text: string): Proof {
  const end = text.indexOf("\n\n");
  require(isProof(text) && end > 0, "this is not a proof file");
  const lines = text.slice(0, end).split("\n").slice(1);
  if (lines[0]?.startsWith("extra ")) fromBase64(lines.shift()!.slice("extra ".length));
  const index = lines.shift();
  require(index !== undefined && index.startsWith("index "), "the proof has no index");
  require(lines.length <= PROOF_HASHES_MAX, "the proof is too long");
  const note = parseNote(text.slice(end + 2));
  return {
    index: parseDecimal(index.slice("index ".length)),
    hashes: lines.map(parseHash),
    note,
    checkpoint: parseCheckpoint(note.text),
  };
}

// Where a log stands: its origin without owner and shard. All logs of one place have one key.
export const placeOf = (origin: string): string => origin.split("/").slice(0, -2).join("/");

const signaturesOf = (note: Note, key: Key) =>
  note.signatures.filter(({ name, id }) => name === key.name && id === key.id);

// The key that has signed the checkpoint: one of `keys` itself, or one of them under the name of
// this log. Every signature of it verifies.
export async function verifyCheckpoint(proof: Proof, keys: Key[]): Promise<Key> {
  const { note, checkpoint } = proof;
  const here = keys.filter((key) =>
    key.type === ED25519 && placeOf(key.name) === placeOf(checkpoint.origin));
  require(here.length > 0, `none of the keys given is of ${checkpoint.origin}`);
  for (const { publicKey } of here) {
    const key = await makeKey(checkpoint.origin, ED25519, publicKey);
    const found = signaturesOf(note, key);
    for (const { bytes } of found) {
      require(await verifies(publicKey, bytes, utf8(note.text)),
        "the log's signature of the checkpoint does not verify");
    }
    if (found.length > 0) return key;
  }
  throw new Refused("the checkpoint is signed by another key than the ones given");
}

// POSIX seconds of the newest cosignature of `witness`; undefined: it has given none. Every one of
// them verifies.
export async function verifyCosignature(note: Note, witness: Key): Promise<number | undefined> {
  let newest: number | undefined;
  for (const { bytes } of signaturesOf(note, witness)) {
    require(bytes.length === 72, `the cosignature of ${witness.name} is malformed`);
    const time = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0);
    const message = utf8(`cosignature/v1\ntime ${time}\n${note.text}`);
    require(await verifies(witness.publicKey, bytes.slice(8), message),
      `the cosignature of ${witness.name} does not verify`);
    newest = Math.max(newest ?? 0, Number(time));
  }
  return newest;
}

// The subtrees of a proof of inclusion (RFC 6962 section 2.1.1), the leaf's sibling first.
export function inclusionPath(index: number, size: number): Subtree[] {
  const path: Subtree[] = [];
  let [begin, end] = [0, size];
  while (end - begin > 1) {
    let left = 1;
    while (left * 2 < end - begin) left *= 2;
    const middle = begin + left;
    if (index < middle) {
      path.unshift({ begin: middle, end });
      end = middle;
    } else {
      path.unshift({ begin, end: middle });
      begin = middle;
    }
  }
  return path;
}

// Goes from the entry to the root and gives the steps. Refused: they lead elsewhere.
export async function verifyInclusion(proof: Proof, entry: Bytes): Promise<Step[]> {
  const { index, hashes, checkpoint } = proof;
  require(index < checkpoint.size, `entry ${index} is not among ${checkpoint.size}`);
  const path = inclusionPath(index, checkpoint.size);
  require(path.length === hashes.length, `the proof has ${hashes.length} hashes instead of ` +
    `the ${path.length} that a log of this size needs`);
  const steps: Step[] = [];
  let result = await leafHash(entry);
  for (const [number, covers] of path.entries()) {
    const sibling = hashes[number]!;
    const onLeft = covers.begin < index;
    result = await (onLeft ? nodeHash(sibling, result) : nodeHash(result, sibling));
    steps.push({ sibling, onLeft, covers, result });
  }
  require(equal(result, checkpoint.root), `the entry is not entry ${index} of the log: ` +
    "the hashes lead from it to another root than the signed one");
  return steps;
}

// The checkpoint of another log that an entry `log.checkpoint` records; undefined: it is no such.
export function recordedCheckpoint(entry: Bytes): Checkpoint | undefined {
  try {
    const { resources, unmapped } = JSON.parse(new TextDecoder().decode(entry));
    if (unmapped.event_type !== "log.checkpoint") return undefined;
    const root = parseHash(unmapped.tree_root);
    return { origin: resources[0].uid, size: unmapped.tree_size, root };
  } catch {
    return undefined;
  }
}

export const sameCheckpoint = (a: Checkpoint, b: Checkpoint): boolean =>
  a.origin === b.origin && a.size === b.size && equal(a.root, b.root);
