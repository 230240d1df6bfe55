// For tests: a log of four entries that others' tools have confirmed, and what makes more of them.
import { webcrypto } from "node:crypto";
import * as tlog from "./tlog";

globalThis.crypto ??= webcrypto as Crypto; // Node 18 has it under this name only

export const bytesOf = tlog.utf8;

export const KEY =
  "vault.example/audit+99f33cb1+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
export const WITNESS =
  "witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X";
export const COSIGNED_AT = 1_700_000_000;
export const ENTRIES = ["a", "bc", "", '{"event":"token.create"}'].map(bytesOf);
const SIGNED = "mfM8sUF7e9tQBQi4GHCcTOLMRnB487/OKavxcWu7rcl9xYGe8nPeJ2ms4iJooDToEAbB+11fPkE6dX69q/8+" +
  "njLDMg8=";
const COSIGNED = "IDJKvgAAAABlU/EA0pCmKp3VlZeIiyTOVxE5W1c+Eee7NzFZS+itA5CeNuMUIl01qkZVYC0mu9FUsmGw" +
  "ujxAmbX4E93qmUBIfFJsBg==";
export const PROOF = `c2sp.org/tlog-proof@v1
index 2
wqeTGieIdOV79BvaXuZ+497JmQzaNmDnZ1TRiABhayU=
y6wKHFRlhtGmDlq91uVhEhhzLhNB6S57hZNATg8Uqks=

vault.example/audit
4
AB4F1h9ssDJBpWo5eoMnN/MVZtbrtaBLrGa3kPjJhNM=

\u2014 vault.example/audit ${SIGNED}
\u2014 witness.example/w1 ${COSIGNED}
`;

export async function rootOf(leaves: tlog.Bytes[]): Promise<tlog.Bytes> {
  if (leaves.length === 1) return leaves[0]!;
  let left = 1;
  while (left * 2 < leaves.length) left *= 2;
  return tlog.nodeHash(await rootOf(leaves.slice(0, left)), await rootOf(leaves.slice(left)));
}

export async function siblingsOf(index: number, leaves: tlog.Bytes[]): Promise<tlog.Bytes[]> {
  const path = tlog.inclusionPath(index, leaves.length);
  return Promise.all(path.map(({ begin, end }) => rootOf(leaves.slice(begin, end))));
}

const signer = crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);

export async function keyText(origin: string, type = tlog.ED25519): Promise<string> {
  const { publicKey } = await signer as CryptoKeyPair;
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", publicKey));
  return tlog.keyText(await tlog.makeKey(origin, type, raw));
}

async function signatureLine(name: string, type: number, bytes: tlog.Bytes): Promise<string> {
  const { id } = await tlog.parseKey(await keyText(name, type));
  const idBytes = id.match(/../g)!.map((pair) => parseInt(pair, 16));
  return `\u2014 ${name} ${tlog.toBase64(new Uint8Array([...idBytes, ...bytes]))}\n`;
}

// The proof file of one of a new log's entries.
export async function proofText(origin: string, entries: tlog.Bytes[],
                                index: number): Promise<string> {
  const leaves = await Promise.all(entries.map(tlog.leafHash));
  const body = `${origin}\n${entries.length}\n${tlog.toBase64(await rootOf(leaves))}\n`;
  const { privateKey } = await signer as CryptoKeyPair;
  const signed = new Uint8Array(await crypto.subtle.sign("Ed25519", privateKey, bytesOf(body)));
  const siblings = (await siblingsOf(index, leaves)).map((hash) => `${tlog.toBase64(hash)}\n`);
  return `c2sp.org/tlog-proof@v1\nindex ${index}\n${siblings.join("")}\n${body}\n` +
    await signatureLine(origin, tlog.ED25519, signed);
}

// A line that cosigns the checkpoint in a proof file.
export async function cosignatureLine(witness: string, proof: string): Promise<string> {
  const body = proof.split("\n\n")[1]! + "\n";
  const time = new Uint8Array(8);
  new DataView(time.buffer).setBigUint64(0, BigInt(COSIGNED_AT));
  const { privateKey } = await signer as CryptoKeyPair;
  const message = bytesOf(`cosignature/v1\ntime ${COSIGNED_AT}\n${body}`);
  const signed = new Uint8Array(await crypto.subtle.sign("Ed25519", privateKey, message));
  return signatureLine(witness, tlog.COSIGNATURE, new Uint8Array([...time, ...signed]));
}
