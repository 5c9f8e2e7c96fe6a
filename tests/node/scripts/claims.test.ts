/**
 * What is taken for Matomo's doing is what the real one does, and what its look-alike does: the same
 * list of claims is asked of either.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { claims } from "../../lookalike/claims";
import { statedVersion } from "../version";
import { DIST, REAL, Site } from "./site";

/** Whether one version is older than another; a pre-release is none of ours. */
function older(one: string, other: string): boolean {
  const [a, b] = [one, other].map((version) => version.split(".").map(Number));
  const place = a.findIndex((part, index) => part !== b[index]);
  return place >= 0 && a[place] < b[place];
}

const VERSION = statedVersion(DIST);
const asked = claims.filter(({ versions, needs }) => {
  const { from, before } = versions ?? {};
  if ((from && older(VERSION, from)) || (before && !older(VERSION, before))) return false;
  return !needs || !REAL || fs.existsSync(path.join(DIST, needs));
});

describe(`what is said of Matomo, asked of ${REAL ? "the real" : "the look-alike's"} ${VERSION}`, () => {
  const site = new Site();
  before(async () => {
    await site.start();
    await site.up();
  });
  after(() => site.dispose());

  for (const { title, check } of asked) it(title, () => check(site));

  it("is said once", () => {
    assert.equal(new Set(claims.map(({ title }) => title)).size, claims.length);
  });
});
