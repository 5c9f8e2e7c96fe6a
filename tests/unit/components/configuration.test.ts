import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { isEncrypted, stackConfiguration } from "../../../components/configuration";

describe("the stack's configuration", () => {
  const project = pulumi.getProject();
  const keys = (...names: string[]) => names.map((name) => `${project}:${name}`);
  const before_ = pulumi.runtime.allConfig();

  before(() => {
    const [backup, domain] = keys("backup", "domain");
    pulumi.runtime.setAllConfig({ [backup]: "{}", [domain]: "m.example.com", "aws:a": "b" }, [
      backup,
    ]);
  });
  after(() => pulumi.runtime.setAllConfig(before_));

  it("is what the project's own keys say", () => {
    assert.deepEqual(stackConfiguration(), { backup: "{}", domain: "m.example.com" });
  });

  it("tells what is encrypted in the stack's file", () => {
    assert.deepEqual([isEncrypted("backup"), isEncrypted("domain")], [true, false]);
  });
});
