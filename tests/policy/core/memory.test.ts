/** What is remembered of claims, for the Deployments that come after them. */
import assert from "node:assert/strict";
import { ClaimMemory } from "../../../policy/core/memory";
import { KubeObject, RawResource } from "../../../policy/core/objects";
import { change, claim, kube } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { proxied } from "../support/table";

const MANY = { accessModes: ["ReadWriteMany"] };
const shared = (...seen: RawResource[]) => {
  const memory = new ClaimMemory();
  seen.forEach((raw) => memory.remember(new KubeObject(proxied(raw))));
  return memory.isSharedClaim("shop/data");
};

describe("a claim that many may mount", () => {
  const rows: [string, RawResource[], boolean | undefined][] = [
    ["was seen", [claim("data", MANY)], true],
    ["was not seen", [], undefined],
    ["is another", [claim("other", MANY)], undefined],
    ["is elsewhere", [change(claim("data", MANY), "metadata.namespace", "blog")], undefined],
    ["is somewhere", [change(claim("data", MANY), "metadata.namespace", UNKNOWN)], undefined],
    ["is for one node", [claim("data")], false],
    ["has modes that are not known", [claim("data", { accessModes: UNKNOWN })], false],
    ["is one no more when it is made anew", [claim("data", MANY), claim("data")], false],
    ["is one since it was made anew", [claim("data"), claim("data", MANY)], true],
    ["is no claim", [kube("example.com/v1", "DataVolume", "data", { spec: MANY })], undefined],
  ];
  for (const [title, seen, expected] of rows) {
    it(title, () => assert.equal(shared(...seen), expected));
  }
});
