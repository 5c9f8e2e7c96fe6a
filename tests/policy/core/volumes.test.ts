/** Which claims turn out to be one volume, and how many pods may mount it. */
import assert from "node:assert/strict";
import { View } from "../../../policy/core/data";
import { KubeObject, RawResource } from "../../../policy/core/objects";
import { Stack } from "../../../policy/core/stack";
import { Volumes } from "../../../policy/core/volumes";
import type { Tree } from "../support/edit";
import { claim, resource, volume } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { proxied } from "../support/table";

const volumes = (...resources: RawResource[]) =>
  new Volumes(new Stack(resources.map((raw) => new KubeObject(proxied(raw)))));

const from = (...sources: RawResource[]) => ({
  propertyDependencies: { spec: sources.map(({ urn }) => ({ urn })) },
});

describe("claims are one volume", () => {
  /** Claims shop/a and shop/b, with what else is in the stack. */
  const same = (...resources: RawResource[]) => {
    const all = volumes(...resources);
    return all.identity("shop/a") === all.identity("shop/b");
  };
  const claims = (a: Tree, b: Tree = {}) => [claim("a", a), claim("b", b)];
  const named = claims({ volumeName: "a" }, { volumeName: "b" });
  const csi = (name: string, volumeHandle: unknown, driver: unknown = "dobs") =>
    volume(name, { csi: { driver, volumeHandle } });
  const disk = resource("digitalocean:index/volume:Volume", "disk", {});
  const other = resource("hcloud:index/volume:Volume", "other", {});
  const app = resource("digitalocean:index/app:App", "app", {});
  const bound = (namespace: unknown) =>
    volume("v", { claimRef: { namespace, name: "b" }, csi: {} });

  const rows: [string, RawResource[], boolean][] = [
    ["by one volume's name", claims({ volumeName: "v" }, { volumeName: "v" }), true],
    ["not by two", named, false],
    ["not by none", claims({}), false],
    ["not by an empty name", claims({ volumeName: "" }, { volumeName: "" }), false],
    ["bound by the volume", [...claims({ volumeName: "v" }), bound("shop")], true],
    ["not bound in another namespace", [...claims({ volumeName: "v" }), bound("blog")], false],
    ["not bound in no namespace", [...claims({ volumeName: "v" }), bound(undefined)], false],
    ["by two volumes of one handle", [...named, csi("a", "x"), csi("b", "x")], true],
    ["not by two handles", [...named, csi("a", "x"), csi("b", "y")], false],
    ["not by two drivers' handles", [...named, csi("a", "x"), csi("b", "x", "nfs")], false],
    ["not by no handle", [...named, csi("a", undefined), csi("b", undefined)], false],
    [
      "by two volumes of one disk that is still to be made",
      [...named, { ...csi("a", UNKNOWN), ...from(disk) }, { ...csi("b", UNKNOWN), ...from(disk) }],
      true,
    ],
    [
      "by one disk, whatever else their specs take values from",
      [
        ...named,
        { ...csi("a", UNKNOWN), ...from(app, other) },
        { ...csi("b", UNKNOWN), ...from(other, resource("random:index/id:Id", "gone", {})) },
      ],
      true,
    ],
    [
      "not by two disks that are still to be made",
      [...named, { ...csi("a", UNKNOWN), ...from(disk) }, { ...csi("b", UNKNOWN), ...from(other) }],
      false,
    ],
    [
      "not by two handles that are known, though one disk gives their size",
      [...named, { ...csi("a", "x"), ...from(disk) }, { ...csi("b", "y"), ...from(disk) }],
      false,
    ],
    [
      "by a volume's name that is not known yet, but comes from one volume",
      [
        claim("a", { volumeName: "v" }),
        { ...claim("b", { volumeName: UNKNOWN }), ...from(disk, volume("v")) },
        volume("v"),
      ],
      true,
    ],
    [
      "through several others",
      [
        ...claims({ volumeName: "v1" }, { volumeName: "v3" }),
        ...[csi("v1", "x"), csi("v2", "x"), csi("v3", "y"), csi("v4", "y")],
        claim("c", { volumeName: "v2" }),
        volume("v4", {
          csi: { driver: "dobs", volumeHandle: "y" },
          claimRef: { name: "c", namespace: "shop" },
        }),
      ],
      true,
    ],
  ];
  for (const [title, resources, expected] of rows) {
    it(title, () => {
      assert.equal(same(...resources, disk, other, app), expected);
      assert.equal(same(...[...resources, disk, other, app].reverse()), expected);
    });
  }

  const open: [string, RawResource, string][] = [
    ["a handle that comes from nowhere", csi("v", UNKNOWN), "spec.csi.volumeHandle"],
    [
      "a handle that may come from two disks",
      { ...csi("v", UNKNOWN), ...from(disk, other) },
      "spec.csi.volumeHandle",
    ],
    ["a driver that is not known", csi("v", "x", UNKNOWN), "spec.csi.driver"],
    ["a claim's volume from nowhere", claim("v", { volumeName: UNKNOWN }), "spec.volumeName"],
    [
      "a claim's volume from what is no volume",
      { ...claim("v", { volumeName: UNKNOWN }), ...from(disk) },
      "spec.volumeName",
    ],
  ];
  for (const [title, raw, path] of open) {
    it(`or not: ${title} leaves it open`, () => {
      const told = volumes(raw, disk, other).open;
      assert.deepEqual(
        told.map(({ object, unknown }) => [object.urn, unknown.path]),
        [[raw.urn, path]],
      );
    });
  }
});

describe("how many pods may mount a claim", () => {
  type Modes = "many" | "one node" | "one pod";
  const modesOf = (all: Volumes, template?: View): Modes => {
    const many = all.allowsMany("shop/a", template);
    const onePod = all.allowsOnePodOnly("shop/a", template);
    return many ? "many" : onePod ? "one pod" : "one node";
  };
  const rows: [unknown, Modes][] = [
    [["ReadWriteMany"], "many"],
    [["ReadOnlyMany"], "many"],
    [["ReadWriteOnce", "ReadWriteMany"], "many"],
    [["ReadWriteOnce"], "one node"],
    [["ReadWriteOncePod"], "one pod"],
    [[], "one node"],
    [undefined, "one node"],
    [["readwritemany"], "one node"],
    [UNKNOWN, "one node"],
    [[UNKNOWN], "one node"],
  ];
  for (const [accessModes, expected] of rows) {
    it(`${JSON.stringify(accessModes)?.replace(UNKNOWN, "not known yet")} is ${expected}`, () => {
      assert.equal(modesOf(volumes(claim("a", { accessModes }))), expected);
      // The volume's own modes decide, since they are what attaching looks at.
      const bound = claim("a", { accessModes: ["ReadWriteMany"], volumeName: "v" });
      assert.equal(modesOf(volumes(bound, volume("v", { accessModes }))), expected);
    });
  }

  it("is what the template of a StatefulSet says, where the claim is made by it", () => {
    const template = new View({ accessModes: ["ReadWriteMany"] }, "StatefulSet shop/db");
    assert.equal(modesOf(volumes(), template), "many");
    assert.equal(modesOf(volumes(claim("a")), template), "one node");
    assert.equal(modesOf(volumes()), "one node");
  });
});
