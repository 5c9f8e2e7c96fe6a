/** Whether a volume is lost: only what leaves no doubt is a loss. */
import assert from "node:assert/strict";
import { type Facts, judge } from "../../../../fleet/repair/judge";

const NAME = "pvc-1";
const HANDLE = "a1b2";
const NOT_FOUND = `rpc error: code = NotFound desc = volume "${HANDLE}" does not exist`;
const WRONG_DROPLET =
  `rpc error: code = FailedPrecondition desc = volume "${HANDLE}" is attached to the wrong ` +
  "droplet (7), detach the volume to fix it";
const attached = { node: "n1", attached: true };
const refused = (error: string) => ({ node: "n1", attached: false, error });
const silent = { silent: "no answer in 60 s" };
const waits = { name: "old-x", ready: false };
const runs = { name: "matomo-x", ready: true };

/** A bound claim that nobody uses. */
function facts(changes: Partial<Facts> = {}): Facts {
  return {
    claim: "matomo-backup",
    found: { uid: "u", phase: "Bound", volumeName: NAME },
    volume: { uid: "v", name: NAME, handle: HANDLE, ofProgram: false },
    attachments: [],
    pods: [],
    warnings: [],
    ...changes,
  };
}

const cases: [string, Partial<Facts>, "healthy" | "lost" | "unclear", RegExp][] = [
  ["bound, nobody uses it", {}, "healthy", /no node has it attached/],
  ["attached", { attachments: [attached], pods: [runs] }, "healthy", /n1 has it attached/],
  [
    "nobody uses it, and DigitalOcean says nothing",
    { cloud: silent },
    "unclear",
    /no answer in 60 s.*ask again.*--wait/s,
  ],
  [
    "attached, and DigitalOcean says nothing",
    { attachments: [attached], cloud: silent },
    "healthy",
    /did not say.*: no answer in 60 s/,
  ],
  ["at DigitalOcean, too", { cloud: { id: HANDLE } }, "healthy", /its id is a1b2/],
  ["no claim", { found: undefined, volume: undefined }, "lost", /there is no claim/],
  ["no PersistentVolume", { volume: undefined }, "lost", /PersistentVolume pvc-1 is gone/],
  [
    "no PersistentVolume, but DigitalOcean has the data",
    { volume: undefined, cloud: { id: HANDLE } },
    "unclear",
    /make a PersistentVolume pvc-1 again that names a1b2/,
  ],
  [
    "no PersistentVolume, and DigitalOcean says nothing",
    { volume: undefined, cloud: silent },
    "unclear",
    /did not say whether it has Volume pvc-1.*ask again/s,
  ],
  [
    "no volume yet",
    { found: { uid: "u", phase: "Pending" }, volume: undefined, warnings: ["quota"] },
    "unclear",
    /is Pending.*quota/s,
  ],
  ["the driver says so", { attachments: [refused(NOT_FOUND)], pods: [waits] }, "lost", /NotFound/],
  ["an event says so", { warnings: [NOT_FOUND], pods: [waits] }, "lost", /NotFound/],
  [
    "the driver says so, DigitalOcean says nothing",
    { attachments: [refused(NOT_FOUND)], cloud: silent },
    "lost",
    /did not say/,
  ],
  [
    "the driver says so, DigitalOcean has another of its name",
    { attachments: [refused(NOT_FOUND)], cloud: { id: "other" } },
    "lost",
    /its id is other/,
  ],
  [
    "the driver says so, DigitalOcean has another of the name that the program will give",
    {
      volume: { uid: "v", name: NAME, handle: HANDLE, ofProgram: true },
      attachments: [refused(NOT_FOUND)],
      cloud: { id: "other" },
    },
    "unclear",
    /another Volume of its name/,
  ],
  [
    "nobody uses it, and DigitalOcean has another of its name",
    { cloud: { id: "other" } },
    "unclear",
    /another Volume of its name/,
  ],
  [
    "the driver says so, DigitalOcean has it",
    { attachments: [refused(NOT_FOUND)], cloud: { id: HANDLE } },
    "unclear",
    /DigitalOcean has this very volume/,
  ],
  ["DigitalOcean says so", { cloud: "missing", pods: [waits] }, "lost", /has no Volume pvc-1/],
  [
    "DigitalOcean says so, but a pod runs with it",
    { cloud: "missing", attachments: [attached], pods: [runs] },
    "unclear",
    /pod matomo-x still runs with it/,
  ],
  [
    "lost while attached: it cannot be detached",
    { attachments: [{ ...attached, error: NOT_FOUND }] },
    "lost",
    /NotFound/,
  ],
  [
    "an old event, and it is attached now",
    { attachments: [attached], warnings: [NOT_FOUND] },
    "healthy",
    /n1 has it attached/,
  ],
  [
    "attached to the wrong droplet",
    { attachments: [refused(WRONG_DROPLET)], pods: [waits] },
    "unclear",
    /make sure that nobody writes, then detach/,
  ],
  [
    "an attachment that is not there yet",
    { warnings: ['volumeattachments.storage.k8s.io "csi-1" does not exist'] },
    "unclear",
    /nobody says that it is lost/,
  ],
];

describe("whether a volume is lost", () => {
  for (const [what, changes, verdict, said] of cases) {
    it(`${what}: ${verdict}`, () => {
      const finding = judge(facts(changes));
      const text = [...finding.evidence, finding.advice].join("\n");
      assert.equal(finding.verdict, verdict, text);
      assert.match(text, said);
    });
  }
});
