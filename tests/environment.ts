/**
 * Before each run of tests: what a CI or a person's shell sets that changes what programs print is
 * taken away. A test that is about one of these sets it for the process that it starts. After a test
 * that failed, evidence of it is taken.
 */
import type { Context, RootHookObject } from "mocha";
import { testBegins, testFailed } from "./evidence";

const RENDERING = ["CI", "GITHUB_ACTIONS", "FORCE_COLOR", "NO_COLOR", "NODE_DISABLE_COLORS"];

for (const name of RENDERING) delete process.env[name];

export const mochaHooks: RootHookObject = {
  beforeEach: testBegins,
  async afterEach(this: Context) {
    const test = this.currentTest;
    if (test?.state === "failed") await testFailed(test.fullTitle());
  },
};
