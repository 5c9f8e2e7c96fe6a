/**
 * Downloads through a module proxy of the test's own, by the real `go`: one that refuses, or takes the
 * connection and says nothing, for a while or for good.
 */
import * as assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { execa } from "execa";
import { zipSync } from "fflate";
import type { Artefact } from "../../../local/artefacts";
import { checkout } from "../../../local/paths";
import { ensureArtefact } from "../../../local/toolchain";

const MODULE = "example.com/dep";
const VERSION = "v1.0.0";
const artefact: Artefact = {
  name: "thing",
  title: "a thing",
  modules: [MODULE],
  files: async ([module], _, output) =>
    fs.copyFileSync(path.join(module, "dep.go"), path.join(output, "dep.go")),
};

/** Go's own sum of some files. */
function sumOf(files: Record<string, string>): string {
  const hash = (text: string) => createHash("sha256").update(text);
  const lines = Object.entries(files).map(
    ([name, text]) => `${hash(text).digest("hex")}  ${name}\n`,
  );
  return `h1:${hash(lines.join("")).digest("base64")}`;
}

describe("a download", () => {
  const module = { "dep.go": "package dep\n", "go.mod": `module ${MODULE}\n` };
  let folder: string;
  let proxy: http.Server;
  /** What the proxy answers instead of the module, request by request. */
  let faults: ((response: http.ServerResponse) => void)[];
  let requests: number;
  const before = { ...process.env };

  beforeEach(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "downloads-"));
    const source = path.join(folder, "sources", "thing");
    fs.mkdirSync(source, { recursive: true });
    const required = `module thing\n\ngo 1.24\n\nrequire ${MODULE} ${VERSION}\n`;
    fs.writeFileSync(path.join(source, "go.mod"), required);
    const names = Object.entries(module).map(([name, text]) => [
      `${MODULE}@${VERSION}/${name}`,
      text,
    ]);
    const zipped = Object.fromEntries(names) as Record<string, string>;
    const sums = [
      `${MODULE} ${VERSION} ${sumOf(zipped)}`,
      `${MODULE} ${VERSION}/go.mod ${sumOf({ "go.mod": module["go.mod"] })}`,
    ];
    fs.writeFileSync(path.join(source, "go.sum"), `${sums.join("\n")}\n`);
    const bytes = Object.entries(zipped).map(([name, text]) => [name, Buffer.from(text)]);
    const answers: Record<string, Buffer | string> = {
      [`/${MODULE}/@v/${VERSION}.info`]: JSON.stringify({ Version: VERSION }),
      [`/${MODULE}/@v/${VERSION}.mod`]: module["go.mod"],
      [`/${MODULE}/@v/${VERSION}.zip`]: Buffer.from(zipSync(Object.fromEntries(bytes))),
    };
    [faults, requests] = [[], 0];
    proxy = http.createServer(({ url }, response) => {
      requests++;
      const fault = faults.shift();
      const answer = answers[url!];
      if (fault) fault(response);
      else if (answer === undefined) response.writeHead(404).end();
      else response.end(answer);
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    Object.assign(process.env, {
      GOPROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
      GOMODCACHE: path.join(folder, "modules"),
      GONOPROXY: "none",
      GOTOOLCHAIN: "local",
    });
  });

  afterEach(async () => {
    // What Go keeps is written by nobody, its owner included.
    await execa("go", ["clean", "-modcache"], { cwd: folder });
    for (const name of ["GOPROXY", "GOMODCACHE", "GONOPROXY", "GOTOOLCHAIN"]) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
    fs.rmSync(folder, { recursive: true });
  });

  const busy = (response: http.ServerResponse) => response.writeHead(503).end();
  const silent = () => undefined;
  const breaksOff = (response: http.ServerResponse) => {
    response.writeHead(200, { "Content-Length": "1000" }).write("half");
    setImmediate(() => response.destroy());
  };
  let told: string[] = [];
  const ensure = (pauses: number[], stallSeconds = 60) => {
    told = [];
    return ensureArtefact(artefact, {
      cache: path.join(folder, "cache"),
      sources: path.join(folder, "sources"),
      report: (line) => told.push(line),
      patience: { pauses, stallSeconds },
    });
  };
  const retried = () => told.filter((line) => line.startsWith("a download failed"));

  for (const [what, fault, stall, words] of [
    ["refuses", busy, 60, /example\.com\/dep@v1\.0\.0: .*503 Service Unavailable$/],
    ["breaks off", breaksOff, 60, /example\.com\/dep.*EOF$/],
    ["takes the connection and says nothing", silent, 2, /example\.com\/dep: .*silent for 2 s$/],
  ] as const) {
    it(`comes once a server that ${what} is itself again`, async () => {
      faults = [fault, fault];
      const built = await ensure([0, 0, 0], stall);
      assert.equal(fs.readFileSync(path.join(built, "dep.go"), "utf8"), module["dep.go"]);
      assert.ok(retried().length >= 1, told.join("\n"));
      for (const line of retried()) assert.match(line, words);
    });
  }

  it("that came in part goes on where it was", async () => {
    // The last of three requests alone.
    faults = [undefined, undefined, busy] as typeof faults;
    await assert.rejects(ensure([]), /Could not fetch example\.com\/dep@v1\.0\.0 in 1 tries/);
    const before = requests;
    await ensure([]);
    assert.equal(requests, before + 1);
  });

  it("that never comes ends a command in one line, with 1", async () => {
    await new Promise((resolve) => proxy.close(resolve));
    const options = {
      cache: path.join(folder, "cache"),
      sources: path.join(folder, "sources"),
      patience: { pauses: [0.1] },
    };
    const program = [
      'const { ensureArtefact } = require("./local/toolchain.ts");',
      'const { runCommand } = require("./local/errors.ts");',
      `runCommand(() => ensureArtefact(${JSON.stringify(artefact)}, ${JSON.stringify(options)}));`,
    ].join("\n");
    const node = ["--require", "tsx/cjs", "--eval", program];
    const { exitCode, stderr } = await execa(process.execPath, node, {
      cwd: checkout,
      reject: false,
    });
    assert.equal(exitCode, 1);
    const line =
      /^Could not fetch example\.com\/dep@v1\.0\.0 in 2 tries \(.*refused\): .*goes on from/;
    assert.match(stderr.trim(), line);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
    proxy.listen(0);
  });
});
