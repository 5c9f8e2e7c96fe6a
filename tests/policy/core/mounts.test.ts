/** Which files a container finds, under which names and in which order. */
import assert from "node:assert/strict";
import { mountedFiles } from "../../../policy/core/mounts";
import { KubeObject } from "../../../policy/core/objects";
import { Workload } from "../../../policy/core/workloads";
import type { Tree } from "../support/edit";
import { kube, podSpec, workload } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { proxied } from "../support/table";

const DATA = { "php.ini": "a = 1", "b.conf": "Listen 80", "c.ini": 8080, "d.ini": true };

/** Name and text of what the only container mounts. */
function files(volumeMounts: Tree[], volumes: Tree[], data: unknown = DATA): [string, string][] {
  const configMaps = new Map(
    [
      kube("v1", "ConfigMap", "config", { data }),
      kube("v1", "ConfigMap", "more", { data: { "a.ini": "z = 1" } }),
    ]
      .map((raw) => new KubeObject(proxied(raw)))
      .map((map) => [map.key(), map]),
  );
  const pod = podSpec({ containers: [{ name: "web", volumeMounts }], volumes });
  const web = new Workload(new KubeObject(proxied(workload("Deployment", "web", pod))));
  const [container] = web.mainContainers();
  return mountedFiles(container, web, configMaps).map(({ name, text }) => [name, text()]);
}

const names = (...given: Parameters<typeof files>) => files(...given).map(([name]) => name);

const mount = (more: Tree = {}) => ({ name: "v", mountPath: "/etc/php", ...more });
const map = (more: Tree = {}) => ({ name: "v", configMap: { name: "config", ...more } });
const ALL = ["b.conf", "c.ini", "d.ini", "php.ini"];

describe("mounted files", () => {
  it("have the map's texts, in the order of their names", () => {
    assert.deepEqual(files([mount()], [map()]), [
      ["b.conf", "Listen 80"],
      ["c.ini", "8080"],
      ["d.ini", ""],
      ["php.ini", "a = 1"],
    ]);
  });

  it("are in one order, whichever of two volumes comes first", () => {
    const more = { name: "w", configMap: { name: "more" } };
    const both = [mount(), mount({ name: "w" })];
    assert.deepEqual(names(both, [map(), more]), ["a.ini", ...ALL]);
    assert.deepEqual(names([...both].reverse(), [more, map()]), ["a.ini", ...ALL]);
  });

  const items = (...of: [string, string?][]) => ({
    items: of.map(([key, path]) => ({ key, path })),
  });
  const rows: [string, Tree[], Tree[], string[]][] = [
    ["of no volume", [mount()], [], []],
    ["of a volume of another name", [mount({ name: "w" })], [map()], []],
    ["of a Secret", [mount()], [{ name: "v", secret: { secretName: "config" } }], []],
    ["of a map made elsewhere", [mount()], [map({ name: "gone" })], []],
    ["of a projected map", [mount()], [{ name: "v", projected: { sources: [map()] } }], ALL],
    ["of some items", [mount()], [map(items(["php.ini", "php.ini"]))], ["php.ini"]],
    ["of an item in folders", [mount()], [map(items(["b.conf", "x/y/z.ini"]))], ["z.ini"]],
    ["of an item without a path", [mount()], [map(items(["b.conf"]))], ["b.conf"]],
    ["of an item that is not there", [mount()], [map(items(["gone", "gone.ini"]))], []],
    ["of one subPath", [mount({ subPath: "b.conf", mountPath: "/etc/x.ini" })], [map()], ["x.ini"]],
    ["of a subPath mounted nowhere", [{ name: "v", subPath: "b.conf" }], [map()], ["b.conf"]],
    ["of a subPath that is not there", [mount({ subPath: "gone" })], [map()], []],
  ];
  for (const [title, mounts, volumes, expected] of rows) {
    it(title, () => assert.deepEqual(names(mounts, volumes), expected));
  }

  it("are read when somebody looks into them", () => {
    const data = { "a.ini": "b = 1", "b.ini": UNKNOWN };
    assert.deepEqual(names([mount({ subPath: "a.ini", mountPath: "/a.ini" })], [map()], data), [
      "a.ini",
    ]);
    assert.throws(() => names([mount()], [map()], data), /not known yet/);
  });
});
