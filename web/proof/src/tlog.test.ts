import { expect, test } from "vitest";
import { COSIGNED_AT, ENTRIES, KEY, PROOF, WITNESS, bytesOf, rootOf, siblingsOf } from "./golden";
import * as tlog from "./tlog";

const key = await tlog.parseKey(KEY);
const witness = await tlog.parseKey(WITNESS);

async function verify(text: string, entry = ENTRIES[2]!): Promise<number | undefined> {
  const proof = tlog.parseProof(text);
  await tlog.verifyCheckpoint(proof, [key]);
  await tlog.verifyInclusion(proof, entry);
  return tlog.verifyCosignature(proof.note, witness);
}

test("the proof of the vectors verifies", async () => {
  expect(await tlog.canVerify()).toBe(true);
  expect(await verify(PROOF)).toBe(COSIGNED_AT);
});

test("any flipped byte is refused", async () => {
  for (let place = 0; place < PROOF.length; place++) {
    const flipped = String.fromCharCode(PROOF.charCodeAt(place) ^ 1);
    const damaged = PROOF.slice(0, place) + flipped + PROOF.slice(place + 1);
    // What names the witness differently leaves a proof that it has not cosigned.
    const told = await verify(damaged).catch((error) => error);
    if (told === undefined) continue;
    expect(told, `byte ${place}: '${PROOF[place]}' to '${flipped}'`).toBeInstanceOf(tlog.Refused);
  }
});

test.each([0, 1, 3])("the proof is not of entry %i", async (index) => {
  await expect(verify(PROOF, ENTRIES[index])).rejects.toThrow("not entry 2 of the log");
});

test("every entry of every small tree has its proof", async () => {
  const numbers = Array.from({ length: 20 }, (_, number) => bytesOf(`${number}`));
  const leaves = await Promise.all(numbers.map(tlog.leafHash));
  for (let size = 1; size <= leaves.length; size++) {
    const root = await rootOf(leaves.slice(0, size));
    for (let index = 0; index < size; index++) {
      const proof: tlog.Proof = {
        index, hashes: await siblingsOf(index, leaves.slice(0, size)),
        note: { text: "", signatures: [] }, checkpoint: { origin: "", size, root },
      };
      const steps = await tlog.verifyInclusion(proof, bytesOf(`${index}`));
      expect(steps).toHaveLength(proof.hashes.length);
      await expect(tlog.verifyInclusion(proof, bytesOf("x"))).rejects.toThrow(tlog.Refused);
      await expect(tlog.verifyInclusion({ ...proof, index: size }, bytesOf(`${index}`)))
        .rejects.toThrow("is not among");
    }
  }
});

test.each([
  ["another type", KEY.replace("+AQ", "+AA")], ["another id", KEY.replace("99f3", "99f4")],
  ["no key", "vault.example/audit"], ["not base64", `${KEY}!`],
])("a key of %s is refused", async (_, text) => {
  await expect(tlog.parseKey(text)).rejects.toThrow(tlog.Refused);
});

test("another log's key is refused, and so is another key of this log", async () => {
  const proof = tlog.parseProof(PROOF);
  const elsewhere = await tlog.makeKey("other.example/a/b", tlog.ED25519, key.publicKey);
  await expect(tlog.verifyCheckpoint(proof, [elsewhere])).rejects.toThrow("none of the keys");
  const other = await tlog.makeKey(key.name, tlog.ED25519, witness.publicKey);
  await expect(tlog.verifyCheckpoint(proof, [other])).rejects.toThrow("another key");
});
