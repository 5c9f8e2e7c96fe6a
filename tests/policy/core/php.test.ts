/** What PHP, PHP-FPM and Apache themselves read in such files. */
import assert from "node:assert/strict";
import { readProperties, View } from "../../../policy/core/data";
import type { MountedFile } from "../../../policy/core/mounts";
import { iniBytes, iniValue, memoryLimit, workersIn } from "../../../policy/core/php";
import { Container } from "../../../policy/core/workloads";

const file = (name: string, text: string): MountedFile => ({ name, text: () => text });

describe("php.ini", () => {
  const value = (text: string, key = "memory_limit") => iniValue([file("php.ini", text)], key);
  const values: [string, string | undefined][] = [
    ["memory_limit = 128M", "128M"],
    ["memory_limit=128M", "128M"],
    ["\t memory_limit \t=\t 128M ", "128M"],
    ['memory_limit = "128M"', "128M"],
    ["memory_limit = '128M'", "128M"],
    ["memory_limit = 128M;the old one", "128M"],
    ["memory_limit = 128M\nmemory_limit = 1G\n", "1G"],
    ["; memory_limit = 128M", undefined],
    ["max_memory_limit = 128M", undefined],
    ["memory_limit_max = 128M", undefined],
    ["memory_limit 128M", undefined],
    ["memory_limit =", undefined],
  ];
  for (const [text, expected] of values) {
    it(`${JSON.stringify(text)} sets ${expected}`, () => assert.equal(value(text), expected));
  }

  it("takes the dots of a key as dots", () => {
    const text = "opcache_memory_consumption = 1\nopcache.memory_consumption = 2";
    assert.equal(value(text, "opcache.memory_consumption"), "2");
    assert.equal(value("opcache.memory-consumption = 1", "opcache.memory.consumption"), undefined);
  });

  it("is read in the order of the files, and no other kind of file is", () => {
    const of = (...names: string[]) =>
      iniValue(
        names.map((name) => file(name, `memory_limit = ${name}`)),
        "memory_limit",
      );
    assert.equal(of("a.ini", "b.ini"), "b.ini");
    assert.equal(of("a.ini", "b.ini.bak", "c.conf"), "a.ini");
    assert.equal(of(), undefined);
  });

  const sizes: [string, string, bigint | undefined][] = [
    ["1048576", "", 1048576n],
    ["512K", "", 524288n],
    ["128M", "", 134217728n],
    ["128m", "", 134217728n],
    ["2G", "", 2147483648n],
    ["-1", "", -1n],
    ["0", "", 0n],
    ["64", "M", 67108864n],
    ["64K", "M", 65536n],
    ["", "", undefined],
    ["much", "", undefined],
    ["M", "", undefined],
    ["128MB", "", undefined],
    ["~128M", "", undefined],
    ["1T", "", undefined],
    ["1.5G", "", undefined],
  ];
  for (const [text, unit, bytes] of sizes) {
    it(`"${text}"${unit && ` in ${unit}`} is ${bytes} bytes`, () => {
      assert.equal(iniBytes(text, unit), bytes);
    });
  }
});

const env = [
  { name: "OTHER", value: "7" },
  { name: "WORKERS", value: "5" },
  { name: "SECRET", valueFrom: { secretKeyRef: { name: "s", key: "k" } } },
];
const container = new Container(new View(readProperties({ env }), "Pod web"), "containers");

describe("memory_limit", () => {
  const limit = (conf: string, isServer = true, ini = "memory_limit = 1M") =>
    memoryLimit([file("a.conf", conf), file("a.ini", ini)], container, isServer);
  const limits: [string, string][] = [
    // Apache's.
    ["php_value memory_limit 2M", "2M"],
    ["\t Php_Value \t memory_limit \t 2M", "2M"],
    ['php_admin_value memory_limit "2M"', "2M"],
    ["php_admin_value memory_limit 2M\nphp_admin_value memory_limit 3M", "3M"],
    ["php_admin_value memory_limit 2M\nphp_value memory_limit 3M", "2M"],
    ["php_value memory_limit '2M'", "2M"],
    // PHP-FPM's.
    ["php_value[memory_limit] = 2M", "2M"],
    ["\t php_admin_value[memory_limit]=2M;more", "2M"],
    ["php_admin_value[memory_limit] = 2M\nphp_value[memory_limit] = 3M", "2M"],
    // Neither's.
    ["", "1M"],
    ["# php_value memory_limit 2M", "1M"],
    [";php_value[memory_limit] = 2M", "1M"],
    ["php_value upload_max_filesize 2M", "1M"],
    ["php_value[memory_limits] = 2M", "1M"],
    ["php_flag memory_limit 2M", "1M"],
  ];
  for (const [conf, expected] of limits) {
    it(`${JSON.stringify(conf)} makes it ${expected}`, () => assert.equal(limit(conf), expected));
  }

  it("is php.ini's on the command line", () => {
    assert.equal(limit("php_admin_value memory_limit 2M", false), "1M");
  });

  it("may be a variable, or none", () => {
    assert.equal(limit("php_value memory_limit ${WORKERS}M"), "5M");
    assert.equal(limit("", true, "memory_limit = ${OTHER}M"), "7M");
    assert.equal(limit("", true, "memory_limit = ${SECRET}"), "${SECRET}");
    assert.equal(limit("", true, ""), undefined);
  });
});

describe("workers", () => {
  const count = (...texts: string[]) =>
    workersIn(
      texts.map((text, i) => file(`${i}.conf`, text)),
      container,
      3,
    );

  const counts: [string, number][] = [
    ["MaxRequestWorkers 25", 25],
    ["\t MaxRequestWorkers \t 25", 25],
    ["maxrequestworkers 25", 25],
    ["MaxRequestWorkers 25\nMaxRequestWorkers 10", 10],
    ["MaxClients 25", 25],
    ["\t MaxClients \t 25", 25],
    ["pm.max_children = 25", 25],
    ["pm.max_children=25", 25],
    ["\t pm.max_children \t=\t 25", 25],
    // The new name goes before the old one.
    ["MaxClients 10\nMaxRequestWorkers 25", 25],
    // A Define, a variable of the environment, or a part of one.
    ["Define WORKERS 25\nMaxRequestWorkers ${WORKERS}", 25],
    ["MaxRequestWorkers ${WORKERS}\n\tDefine \t WORKERS \t 25", 25],
    ["MaxRequestWorkers ${WORKERS}", 5],
    ["MaxRequestWorkers 1${WORKERS}", 15],
    ["MaxRequestWorkers ${WORKERS}${OTHER}", 57],
    // None, or none that can be read: the fallback.
    ["", 3],
    ["# MaxRequestWorkers 25", 3],
    ["#MaxClients 25", 3],
    [";pm.max_children = 25", 3],
    ["MinSpareThreads 25", 3],
    ["pmxmax_children = 25", 3],
    ["pm.max_children 25", 3],
    ["MaxRequestWorkers 0", 3],
    ["MaxRequestWorkers -1", 3],
    ["MaxRequestWorkers 1.5", 3],
    ["MaxRequestWorkers many", 3],
    ["MaxRequestWorkers ${SECRET}", 3],
    ["MaxRequestWorkers 2${NOWHERE}", 3],
    ["# Define NOWHERE 25\nMaxRequestWorkers ${NOWHERE}", 3],
  ];
  for (const [text, expected] of counts) {
    it(`${JSON.stringify(text)} is ${expected}`, () => assert.equal(count(text), expected));
  }

  it("are read from all files, by the last that says so", () => {
    assert.equal(count("MaxRequestWorkers 25", "MaxRequestWorkers 10", "Listen 80"), 10);
    assert.equal(count("MaxRequestWorkers ${N}", "Define N 12"), 12);
    assert.equal(workersIn([file("a.ini", "MaxRequestWorkers 25")], container, 3), 3);
  });
});
