/** A TypeScript file that is run as one file with all that it imports. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { execa } from "execa";
import { checkout } from "../../local/paths";

describe("launch/run.cjs", () => {
  let folder: string;
  let file: string;
  let cache: string;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "launch-"));
    file = path.join(folder, "program.ts");
    cache = path.join(folder, "cache");
  });

  afterEach(() => fs.rmSync(folder, { recursive: true }));

  const run = (env: NodeJS.ProcessEnv = {}, ...args: string[]) =>
    execa(process.execPath, [path.join(checkout, "launch/run.cjs"), file, ...args], {
      env: { XDG_CACHE_HOME: cache, TMPDIR: folder, ...env },
      reject: false,
    });
  const kept = () => fs.readdirSync(path.join(cache, "matomo-fleet/launch")).sort();
  const write = (...lines: string[]) => fs.writeFileSync(file, lines.join("\n"));

  it("runs it with its arguments, in its folder, and keeps what V8 compiled", async () => {
    write(
      `import { parseBytes } from "${checkout}/policy/core/quantity";`,
      `console.log(typeof parseBytes, __dirname, process.argv.slice(1).join(" "));`,
    );
    for (let time = 0; time < 2; time++) {
      const { stdout, stderr } = await run({}, "--all", "x");
      assert.equal(stderr, "");
      assert.match(stdout, new RegExp(`^\\w+ ${folder} ${file} --all x$`));
    }
    assert.deepEqual(
      kept().map((name) => name.replace(/^\w+/, "")),
      [".js", ".js.cache", ".js.map"],
    );
  });

  it("runs what it has become", async () => {
    write(`console.log("one");`);
    assert.equal((await run()).stdout, "one");
    write(`console.log("two");`);
    assert.equal((await run()).stdout, "two");
    assert.equal(kept().filter((name) => name.endsWith(".js")).length, 2);
  });

  it("names the lines of its sources in an error", async () => {
    write(
      "interface Given {",
      "  value: number;",
      "}",
      "function fails({ value }: Given): never {",
      "  throw new Error(`it was ${value}`);",
      "}",
      "setImmediate(() => fails({ value: 1 }));",
    );
    const { stderr, exitCode } = await run();
    assert.equal(exitCode, 1);
    assert.ok(stderr.includes(`at fails (${file}:5:`), stderr);
    assert.deepEqual(
      kept().filter((name) => name.endsWith(".cache")),
      [],
      "what failed is no model of what a run needs",
    );
  });

  it("names them in what a program prints of one, not in each that is made", async () => {
    write(
      "interface Given {}",
      "const made = (): Error => new Error(`made`);",
      "console.error(made());",
      "console.log(made().stack);",
    );
    const { stderr, stdout } = await run();
    assert.ok(stderr.includes(`(${file}:2:`), stderr);
    assert.ok(!stdout.includes(`${file}:`) && stdout.includes(cache), stdout);
  });

  it("says where it does not compile, in its own words, and keeps nothing", async () => {
    write("const a: = 1;");
    const { stderr, exitCode } = await run();
    assert.equal(exitCode, 1);
    assert.match(stderr, /program\.ts:1:9/);
    assert.match(stderr, /does not compile, for the reason above/);
    assert.ok(!stderr.includes("load.cjs"), stderr);
    assert.deepEqual(kept(), []);
  });

  it("runs where nothing can be kept, and leaves nothing", async () => {
    write(`console.log("there");`);
    fs.writeFileSync(cache, "a file");
    assert.equal((await run()).stdout, "there");
    assert.deepEqual(fs.readdirSync(folder).sort(), ["cache", "program.ts"]);
  });

  it("removes what nobody used for a week, and nothing else", async () => {
    write(`console.log("one");`);
    await run();
    const [first] = kept();
    const age = (days: number) => {
      const then = new Date(Date.now() - days * 24 * 3600 * 1000);
      for (const name of kept().filter((name) => name.startsWith(first.slice(0, 16)))) {
        fs.utimesSync(path.join(cache, "matomo-fleet/launch", name), then, then);
      }
    };
    age(8);
    await run();
    write(`console.log("two");`);
    await run();
    assert.ok(kept().includes(first), "it was in use again");
    age(8);
    write(`console.log("three");`);
    await run();
    assert.ok(!kept().some((name) => name.startsWith(first.slice(0, 16))));
  });
});
