/** What a proof and a restore make of a dump: names, definitions, and rows that are longer than the memory. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { checkout } from "../../../local/paths";

const SCRIPT = path.join(checkout, "components", "scripts", "read-dump.pl");
const SEPARATOR = "-- fleet: definitions";

const DUMP = [
  "/*M!999999\\- enable the sandbox mode */ ",
  "-- MariaDB dump 10.19",
  "/*!40101 SET NAMES utf8mb4 */;",
  "DROP TABLE IF EXISTS `a``b`;",
  "CREATE TABLE `a``b` (",
  "  `id` int COMMENT 'CREATE TABLE `x`',",
  "  CONSTRAINT `own` FOREIGN KEY (`id`) REFERENCES `parent` (`id`),",
  "  CONSTRAINT `far` FOREIGN KEY (`id`) REFERENCES `parent`.`x` (`id`)",
  ") ENGINE=InnoDB;",
  "LOCK TABLES `a``b` WRITE;",
  "INSERT INTO `a``b` VALUES",
  "(1,'INSERT INTO `a``b` VALUES DELIMITER ;;'),",
  "(2,'-- fleet: definitions');",
  "UNLOCK TABLES;",
  "CREATE TABLE `late` (",
  "  `id` int",
  ");",
  "-- Dump completed",
];
const DEFINITIONS = [
  "DELIMITER ;;",
  "CREATE DEFINER=`ro``ot`@`%` PROCEDURE `p`()",
  "BEGIN",
  "-- DEFINER=`root`@`%` stays in a body",
  "END ;;",
  "DELIMITER ;",
  "/*!50013 DEFINER=`root`@`localhost` SQL SECURITY DEFINER */",
];

describe("a dump that is read", () => {
  let folder: string;
  beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "dump-"))));
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  const file = (name: string) => path.join(folder, name);
  const beside = () => [SCRIPT, SEPARATOR, "new_", file("names"), file("definitions")];
  function read(lines: string[]) {
    fs.writeFileSync(file("names"), "parent\n");
    const run = spawnSync("perl", beside(), { input: `${lines.join("\n")}\n`, encoding: "utf8" });
    const definitions = fs.readFileSync(file("definitions"), "utf8").trim().split("\n");
    return { ...run, lines: run.stdout.trim().split("\n"), definitions };
  }

  it("has its tables under numbers, and no row, text or foreign schema for a name", () => {
    const { lines, status } = read([...DUMP, SEPARATOR, ...DEFINITIONS]);
    assert.equal(status, 0);
    assert.deepEqual(lines.slice(3), [
      "CREATE TABLE `new_2` (",
      "  `id` int COMMENT 'CREATE TABLE `x`',",
      "  FOREIGN KEY (`id`) REFERENCES `new_1` (`id`),",
      "  FOREIGN KEY (`id`) REFERENCES `parent`.`x` (`id`)",
      ") ENGINE=InnoDB;",
      "LOCK TABLES `new_2` WRITE;",
      "INSERT INTO `new_2` VALUES",
      "(1,'INSERT INTO `a``b` VALUES DELIMITER ;;'),",
      "(2,'-- fleet: definitions');",
      "UNLOCK TABLES;",
      "CREATE TABLE `new_3` (",
      "  `id` int",
      ");",
      "-- Dump completed",
    ]);
    assert.equal(fs.readFileSync(file("names"), "utf8"), "parent\na`b\nlate\n");
  });

  for (const [which, separator] of [
    ["this program", [SEPARATOR]],
    ["an older one", []],
  ] as const) {
    it(`has its definitions apart, as the reader's own: a dump of ${which}`, () => {
      const { definitions, lines } = read([
        ...DUMP.slice(0, -1),
        ...separator,
        ...DEFINITIONS,
        DUMP.at(-1)!,
      ]);
      const own = definitions.slice(2 + separator.length, 2 + separator.length + 7);
      assert.deepEqual(own, [
        "DELIMITER ;;",
        "CREATE PROCEDURE `p`()",
        "BEGIN",
        "-- DEFINER=`root`@`%` stays in a body",
        "END ;;",
        "DELIMITER ;",
        "/*!50013  SQL SECURITY DEFINER */",
      ]);
      assert.ok(!lines.some((line) => /PROCEDURE|50013/.test(line)));
    });
  }

  it("has an end, or is none", () => {
    const { status, stderr } = read(DUMP.slice(0, -1));
    assert.notEqual(status, 0);
    assert.equal(stderr, "the dump has no end\n");
  });

  it("says the same in common with another one, whose server it does not name", () => {
    const common = (lines: string[]) =>
      execFileSync("perl", [SCRIPT, SEPARATOR], {
        input: `${lines.join("\n")}\n`,
        encoding: "utf8",
      });
    const other = DUMP.map((line) => line.replace("MariaDB dump 10.19", "MariaDB dump 11.8"));
    assert.equal(common([...DUMP, SEPARATOR, ...DEFINITIONS]), common(other));
    assert.notEqual(common(DUMP), common(DUMP.map((line) => line.replace("(1,", "(3,"))));
  });

  for (const [form, start] of [
    ["a line of its own", ["INSERT INTO `late` VALUES", "("]],
    ["its statement's line", ["INSERT INTO `late` VALUES ("]],
  ] as const) {
    it(`has a row of 40 MB in ${form}, in a few MB of memory`, () => {
      const [last, ...before] = [...start].reverse();
      const row = `${last}1,'${"x".repeat(40_000_000)}');`;
      fs.writeFileSync(file("names"), "late\n");
      const limited = ["-c", 'ulimit -v 49152 && exec perl "$@"', "bash", ...beside()];
      const lines = [...before, row, "-- Dump completed", ""];
      const options = { input: lines.join("\n"), maxBuffer: 1e8, encoding: "utf8" } as const;
      const said = execFileSync("bash", limited, options);
      assert.equal(said, lines.join("\n").replace("`late`", "`new_1`"));
    });
  }
});
