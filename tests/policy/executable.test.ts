/** The pack as the executable file: it serves as the engine asks, and keeps itself compiled. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import * as grpc from "@grpc/grpc-js";
import { AnalyzerClient } from "@pulumi/pulumi/proto/analyzer_grpc_pb";
import * as analyzer from "@pulumi/pulumi/proto/analyzer_pb";
import { change, workload } from "./support/objects";
import { fill } from "./support/requests";

const PACK = path.join(__dirname, "../../policy/run-policy");
const web = workload("Deployment", "web");
const moving = change(web, "spec.template.spec.containers[0].image", "matomo:latest");

describe("the executable file", () => {
  let cache: string;
  let pack: ChildProcess;
  let client: AnalyzerClient;

  async function start(): Promise<void> {
    pack = spawn(PACK, ["127.0.0.1:1"], {
      env: { ...process.env, XDG_CACHE_HOME: cache },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [port] = (await once(pack.stdout!, "data")) as [Buffer];
    client = new AnalyzerClient(
      `127.0.0.1:${port.toString().trim()}`,
      grpc.credentials.createInsecure(),
    );
  }

  async function stop(): Promise<void> {
    client.close();
    pack.kill("SIGKILL");
    await once(pack, "exit");
  }

  before(async () => {
    cache = await fs.mkdtemp(path.join(os.tmpdir(), "matomo-pack-"));
    await start();
  });

  after(async () => {
    await stop();
    await fs.rm(cache, { recursive: true });
  });

  const rulesOf = (response: analyzer.AnalyzeResponse) =>
    response.getDiagnosticsList().map((diagnostic) => diagnostic.getPolicyname());
  const judge = () =>
    new Promise<string[]>((resolve, reject) =>
      client.analyze(fill(new analyzer.AnalyzeRequest(), moving), (error, response) =>
        error ? reject(error) : resolve(rulesOf(response)),
      ),
    );
  const judgeStack = () =>
    new Promise<string[]>((resolve, reject) =>
      client.analyzeStack(new analyzer.AnalyzeStackRequest(), (error, response) =>
        error ? reject(error) : resolve(rulesOf(response)),
      ),
    );
  const files = async () =>
    (await fs.readdir(path.join(cache, "matomo-fleet", "launch"))).map((file) =>
      file.replace(/^[0-9a-f]{16}/, "pack"),
    );

  it("judges a resource", async () => assert.deepEqual(await judge(), ["image-is-pinned"]));

  it("repairs none, and says so as the engine understands it", async () => {
    const code = await new Promise((resolve) =>
      client.remediate(fill(new analyzer.AnalyzeRequest(), moving), (error) =>
        resolve(error?.code),
      ),
    );
    assert.equal(code, grpc.status.UNIMPLEMENTED);
  });

  it("has kept what V8 compiled once it answers for the stack, and serves from it", async () => {
    assert.deepEqual((await files()).sort(), ["pack.js", "pack.js.map"]);
    await judgeStack();
    await stop();
    assert.deepEqual((await files()).sort(), ["pack.js", "pack.js.cache", "pack.js.map"]);
    await start();
    assert.deepEqual(await judge(), ["image-is-pinned"]);
  });
});
