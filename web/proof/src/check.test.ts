import { expect, test } from "vitest";
import { check, type GivenFile } from "./check";
import {
  ENTRIES, KEY, PROOF, WITNESS, bytesOf, cosignatureLine, keyText, proofText, rootOf,
} from "./golden";
import { COSIGNATURE, leafHash, toBase64, type Bytes } from "./tlog";

const file = (name: string, content: string | Bytes): GivenFile =>
  ({ name, bytes: typeof content === "string" ? bytesOf(content) : content });
const PROOF_FILE = file("vault-2.tlog-proof", PROOF);
const ENTRY_FILE = file("vault-2.json", ENTRIES[2]!);

test("proof, entry and key are found by what they hold", async () => {
  const report = await check([file("x", ENTRIES[2]!), file("k", `${KEY}\n`), file("p", PROOF)], "");
  expect(report.state).toBe("proven");
  expect(report.findings[0]).toMatchObject({ cosigners: [], unknownSigners: 1 });
});

test("a witness's key checks its cosignature", async () => {
  const report = await check([PROOF_FILE, ENTRY_FILE], `${KEY}\n${WITNESS}\n`);
  expect(report.findings[0]).toMatchObject({
    cosigners: [{ key: { name: "witness.example/w1" }, time: 1_700_000_000 }], unknownSigners: 0 });
});

test.each([
  ["everything", [], "", ["a proof file (.tlog-proof)", "its entry (.json)", "the log's key"]],
  ["its key", [PROOF_FILE, ENTRY_FILE], "", ["the log's key"]],
  ["its entry", [PROOF_FILE], KEY, ["its entry (.json)"]],
])("what lacks %s waits", async (_, files, keys, missing) => {
  const report = await check(files, keys);
  expect(report).toMatchObject({ state: "waiting", missing });
});

test("an entry that was changed is refused", async () => {
  const report = await check([PROOF_FILE, file("vault-2.json", "b")], KEY);
  expect(report.state).toBe("refused");
  expect(report.findings[0]!.why).toContain("not entry 2 of the log");
});

test("a checkpoint that was changed is refused", async () => {
  const report = await check([file("p", PROOF.replace("\n4\n", "\n5\n")), ENTRY_FILE], KEY);
  expect(report.findings[0]!.why).toContain("signature of the checkpoint does not verify");
});

test("a text that is no key is refused", async () => {
  await expect(check([], "my key")).rejects.toThrow("not a verifier key");
});

test("the operator's entry that records a log's checkpoint stands for it", async () => {
  const entries = ["one", "two", "three"].map(bytesOf);
  const merchant = "a.example/auditd/mer_1/2026";
  const root = toBase64(await rootOf(await Promise.all(entries.map(leafHash))));
  const record = (size: number) => bytesOf(JSON.stringify({
    resources: [{ uid: merchant }],
    unmapped: { event_type: "log.checkpoint", tree_size: size, tree_root: root },
  }));
  for (const [size, operator, stands] of [
    [3, "a.example/auditd/operator/2026", true],
    [4, "a.example/auditd/operator/2026", false],   // another tree
    [3, "a.example/auditd/mer_2/2026", false],      // another merchant's log
    [3, "a.example/other/operator/2026", false],    // another place's operator
  ] as const) {
    const report = await check([
      file("mer_1-2026-1.tlog-proof", await proofText(merchant, entries, 1)),
      file("mer_1-2026-1.json", entries[1]!),
      file("operator-2026-1.tlog-proof", await proofText(operator, [entries[0]!, record(size)], 1)),
      file("operator-2026-1.json", record(size)),
    ], `${await keyText(merchant)}\n${await keyText(operator)}\n`);
    expect(report.state).toBe("proven");
    expect(report.findings[0]!.recordedBy?.file)
      .toBe(stands ? "operator-2026-1.tlog-proof" : undefined);
  }
});

test("one record stands, with its witness, for every proof up to its checkpoint", async () => {
  const entries = ["one", "two", "three"].map(bytesOf);
  const merchant = "a.example/auditd/mer_1/2026";
  const operator = "a.example/auditd/operator/2026";
  const witness = "w.example/1";
  const root = toBase64(await rootOf(await Promise.all(entries.map(leafHash))));
  const record = bytesOf(JSON.stringify({
    resources: [{ uid: merchant }],
    unmapped: { event_type: "log.checkpoint", tree_size: 3, tree_root: root },
  }));
  const proofs = await Promise.all(entries.map(async (entry, i) => [
    file(`mer_1-2026-${i}.tlog-proof`, await proofText(merchant, entries, i)),
    file(`mer_1-2026-${i}.json`, entry),
  ]));
  const recorded = await proofText(operator, [record], 0);
  const keys = `${await keyText(merchant)}\n${await keyText(operator)}\n` +
    `${await keyText(witness, COSIGNATURE)}\n`;
  const operators = [
    file("operator-2026-0.tlog-proof", recorded + await cosignatureLine(witness, recorded)),
    file("operator-2026-0.json", record),
  ];
  const report = await check([...proofs.flat(), ...operators], keys);
  expect(report.findings.map(({ recordedBy }) => recordedBy?.file)).toEqual(
    [...entries.map(() => "operator-2026-0.tlog-proof"), undefined]);
  expect(report.state).toBe("proven");
});

test("a witnessed proof as the API answers it is its four files", async () => {
  const entries = ["one", "t\u00f6\"\\o", "three"].map(bytesOf);
  const merchant = "a.example/auditd/mer_1/2026";
  const operator = "a.example/auditd/operator/2026";
  const witness = "w.example/1";
  const root = toBase64(await rootOf(await Promise.all(entries.map(leafHash))));
  const record = JSON.stringify({
    resources: [{ uid: merchant }],
    unmapped: { event_type: "log.checkpoint", tree_size: 3, tree_root: root },
  });
  const recorded = await proofText(operator, [bytesOf(record)], 0);
  const answer = {
    object: "witnessed_proof",
    entry: new TextDecoder().decode(entries[1]),
    proof: await proofText(merchant, entries, 1),
    record: { entry: record, proof: recorded + await cosignatureLine(witness, recorded) },
  };
  const keys = `${await keyText(merchant)}\n${await keyText(witness, COSIGNATURE)}\n`;
  const given = (changed: object) => check([file("w.json", JSON.stringify(changed))], keys);
  const report = await given(answer);
  expect(report.state).toBe("proven");
  expect(report.findings.map(({ file, entryFile }) => [file, entryFile])).toEqual([
    ["w.tlog-proof", "w.json"], ["w, record.tlog-proof", "w, record.json"]]);
  expect(report.findings[0]!.recordedBy?.cosigners).toHaveLength(1);
  expect((await given({ ...answer, entry: "two" })).state).toBe("refused");
  expect((await given({ ...answer, entry: null })).state).toBe("waiting");
  expect((await given({ ...answer, record: null })).state).toBe("refused");
});

test("a witness of the proof's own checkpoint does not stand for its record's", async () => {
  const entry = bytesOf("one");
  const merchant = "a.example/auditd/mer_1/2026";
  const operator = "a.example/auditd/operator/2026";
  const witness = "w.example/1";
  const root = toBase64(await leafHash(entry));
  const record = bytesOf(JSON.stringify({
    resources: [{ uid: merchant }],
    unmapped: { event_type: "log.checkpoint", tree_size: 1, tree_root: root },
  }));
  const proof = await proofText(merchant, [entry], 0);
  const report = await check([
    file("m.tlog-proof", proof + await cosignatureLine(witness, proof)), file("m.json", entry),
    file("o.tlog-proof", await proofText(operator, [record], 0)), file("o.json", record),
  ], `${await keyText(merchant)}\n${await keyText(witness, COSIGNATURE)}\n`);
  expect(report.findings[0]!.recordedBy?.file).toBe("o.tlog-proof");
  expect(report.findings.map(({ state }) => state)).toEqual(["refused", "refused"]);
});

test("a witness whose key was given must have cosigned", async () => {
  const key = await keyText("w.example/2", COSIGNATURE);
  const report = await check([PROOF_FILE, ENTRY_FILE], `${KEY}\n${WITNESS}\n${key}\n`);
  expect(report.state).toBe("refused");
  expect(report.findings[0]!.why).toBe(
    "no cosignature of w.example/2, whose key was given, stands for it");
  expect(report.findings[0]!.cosigners).toHaveLength(1);
});
