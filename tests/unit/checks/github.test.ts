/** The comment is found by its marker, made once and changed in place: against a loopback GitHub. */
import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { execa } from "execa";
import { MARKER } from "../../../fleet/checks/comment";
import { GitHubError, type PullRequest, upsertComment } from "../../../fleet/checks/github";
import { writeReport } from "../../../fleet/checks/report";

interface Comment {
  id: number;
  body: string;
  user: { login: string };
}

const BOT = "github-actions[bot]";
const TOKEN = "ghs_loopback-token";
const checkout = path.resolve(__dirname, "../../..");

describe("the comment on GitHub", () => {
  let server: http.Server;
  let pullRequest: PullRequest;
  let comments: Comment[];
  let requests: string[];

  before(async () => {
    server = http.createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        const [status, body] = answer(request, Buffer.concat(parts).toString());
        response.writeHead(status, { "content-type": "application/json" });
        response.end(JSON.stringify(body));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const api = `http://127.0.0.1:${port}`;
    pullRequest = { api, repository: "team/fleet", number: 7, token: TOKEN, author: BOT };
  });

  after(() => new Promise((resolve) => server.close(resolve)));

  beforeEach(() => {
    comments = [];
    requests = [];
  });

  /** GitHub's three calls, with its paging and its answer to a wrong token. */
  function answer(request: http.IncomingMessage, body: string): [number, unknown] {
    const url = new URL(request.url!, "http://localhost");
    requests.push(`${request.method} ${url.pathname}`);
    if (request.headers.authorization !== `Bearer ${TOKEN}`) {
      return [401, { message: "Bad credentials" }];
    }
    if (request.method === "GET" && url.pathname === "/repos/team/fleet/issues/7/comments") {
      const size = Number(url.searchParams.get("per_page"));
      const start = (Number(url.searchParams.get("page")) - 1) * size;
      return [200, comments.slice(start, start + size)];
    }
    if (request.method === "POST" && url.pathname === "/repos/team/fleet/issues/7/comments") {
      return [201, comments[comments.push(comment(JSON.parse(body).body)) - 1]];
    }
    const id = /^\/repos\/team\/fleet\/issues\/comments\/(\d+)$/.exec(url.pathname)?.[1];
    const found = comments.find((comment) => comment.id === Number(id));
    if (request.method !== "PATCH" || !found) return [404, { message: "Not Found" }];
    found.body = JSON.parse(body).body;
    return [200, found];
  }

  const comment = (body: string, login = BOT): Comment => ({
    id: 1000 + comments.length,
    body,
    user: { login },
  });

  it("is made once, then changed in place", async () => {
    assert.equal(await upsertComment(pullRequest, MARKER, `${MARKER}\nfirst`), "created");
    assert.equal(await upsertComment(pullRequest, MARKER, `${MARKER}\nsecond`), "updated");
    assert.deepEqual(
      comments.map(({ body }) => body),
      [`${MARKER}\nsecond`],
    );
  });

  it("is found behind hundreds of others", async () => {
    for (let i = 0; i < 250; i++) comments.push(comment("a remark", "someone"));
    comments.push(comment(`${MARKER}\nold`));
    assert.equal(await upsertComment(pullRequest, MARKER, `${MARKER}\nnew`), "updated");
    assert.equal(comments.at(-1)!.body, `${MARKER}\nnew`);
    assert.equal(requests.filter((request) => request.startsWith("GET")).length, 3);
  });

  it("is never somebody else's, nor one that only quotes the marker", async () => {
    comments.push(comment(`${MARKER}\nforged`, "mallory"), comment(`> ${MARKER}`));
    assert.equal(await upsertComment(pullRequest, MARKER, `${MARKER}\nreal`), "created");
    assert.deepEqual(
      comments.map(({ body }) => body),
      [`${MARKER}\nforged`, `> ${MARKER}`, `${MARKER}\nreal`],
    );
  });

  it("fails with GitHub's words, without the token", async () => {
    const wrong = { ...pullRequest, token: "ghs_another-token" };
    await assert.rejects(upsertComment(wrong, MARKER, MARKER), (error: Error) => {
      assert.ok(error instanceof GitHubError);
      assert.match(error.message, /401 .*Bad credentials/);
      assert.doesNotMatch(error.message, /ghs_/);
      return true;
    });
    assert.deepEqual(comments, []);
  });

  /** `npm run check:comment`, as a workflow's step runs it. */
  const post = (...args: string[]) => {
    return execa(process.execPath, ["launch/run.cjs", "fleet/checks/post.ts", ...args], {
      cwd: checkout,
      env: {
        PATH: process.env.PATH,
        GITHUB_API_URL: pullRequest.api,
        GITHUB_SERVER_URL: "https://github.example",
        GITHUB_REPOSITORY: "team/fleet",
        GITHUB_RUN_ID: "42",
        GITHUB_TOKEN: TOKEN,
      },
      extendEnv: false,
      reject: false,
    });
  };

  it("does not stay when a later commit's check has no report", async () => {
    comments.push(comment(`${MARKER}\nall is well`));
    const { stdout, stderr } = await post("--no-report", "--pull-request", "7");
    assert.equal(stdout, "comment updated", stderr);
    assert.match(
      comments[0].body,
      /Not known.*\[log\]\(https:\/\/github\.example\/team\/fleet\/actions\/runs\/42\)/,
    );
    const neither = await post("--pull-request", "7");
    assert.equal(neither.exitCode, 2);
    assert.equal(neither.stderr, "--report <file> or --no-report is needed");
  });

  it("is posted by npm run check:comment, whose summary is the same text", async () => {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), "matomo-comment-"));
    try {
      const report = path.join(folder, "report.json");
      const summary = path.join(folder, "summary.md");
      const stack = { stack: "liberty", by: "preview" as const, objects: 50 };
      await writeReport(report, {
        stacks: [{ ...stack, changes: [], violations: [], warnings: [] }],
      });
      const args = ["--report", report, "--pull-request", "7", "--summary", summary];
      const { stdout } = await post(...args);
      assert.equal(stdout, "comment created");
      assert.equal(await fs.readFile(summary, "utf8"), comments[0].body);
      assert.match(comments[0].body, /\| liberty \| ✅ \|/);
    } finally {
      await fs.rm(folder, { recursive: true, force: true });
    }
  });
});
