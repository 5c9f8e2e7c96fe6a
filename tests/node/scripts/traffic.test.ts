/**
 * Visitors come while people read slow pages and reports are made (decision 14): with nginx in front that
 * keeps connections as ingress-nginx does, everybody is answered, and the pod stays ready.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { isSoak } from "../../soak";
import { ensureTool, nginx } from "../../tools";
import { eventually, seconds } from "../../waits";
import { type Running } from "./sandbox";
import { HOST, Site } from "./site";

/** Visits a second, and for how long. */
const RATE = 20;
const LENGTH_SECONDS = isSoak ? 60 : 15;
/** Pages that take long, all asked for at once; together they are as many as there are workers. */
const SLOW_PAGES = 4;
const SLOW_SECONDS = isSoak ? 25 : 6;

/** The part of ingress-nginx's configuration that decides how it uses Apache's connections. */
const CONFIGURATION = `
  daemon off;
  worker_processes 2;
  pid /tmp/nginx.pid;
  error_log stderr warn;
  events { worker_connections 4096; }
  http {
    access_log off;
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    scgi_temp_path /tmp/scgi;
    uwsgi_temp_path /tmp/uwsgi;
    upstream site {
      server 127.0.0.1:8080 max_fails=0;
      keepalive 320;
      keepalive_timeout 60s;
      keepalive_requests 10000;
    }
    server {
      listen 127.0.0.1:9080;
      location / {
        proxy_pass http://site;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $http_x_visitor;
        proxy_set_header X-Forwarded-Proto https;
        proxy_connect_timeout 5s;
        proxy_read_timeout 60s;
        proxy_next_upstream error timeout;
        proxy_next_upstream_tries 3;
      }
    }
  }`;

/** Answers of one kind: how long each took in milliseconds, and what was no 200. */
interface Answers {
  times: number[];
  faults: string[];
}

/** Runs inside the sandbox's network: asks at its own pace, however slow the answers come. */
const CROWD = `
  const http = require("node:http");
  const [rate, length, slowPages, limit, host] = JSON.parse(process.argv[1]);
  const kinds = {};
  const ask = (kind, port, path, seconds, headers = {}) => new Promise((resolve) => {
    const answers = (kinds[kind] ??= { times: [], faults: [] });
    const started = performance.now();
    const end = (fault) => {
      answers.times.push(Math.round(performance.now() - started));
      if (fault) answers.faults.push(fault);
      resolve();
    };
    const all = { Host: host, "X-Forwarded-Proto": "https", ...headers };
    const request = http.get({ port, path, headers: all, timeout: seconds * 1000 }, (answer) => {
      answer.resume().on("end", () => end(answer.statusCode === 200 ? "" : "HTTP " + answer.statusCode));
    });
    request.on("timeout", () => request.destroy(new Error("no answer")));
    request.on("error", (error) => end(error.message));
  });
  const every = async (times, perSecond, one) => {
    const started = performance.now();
    const asked = [];
    for (let n = 0; n < times; n++) {
      const due = started + (n * 1000) / perSecond - performance.now();
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due)));
      asked.push(one(n));
    }
    await Promise.all(asked);
  };
  const visit = (n) => {
    const id = (n + 1).toString(16).padStart(16, "c");
    const page = encodeURIComponent("https://" + host + "/page-" + n);
    const visitor = { "X-Visitor": "203." + (n >> 8) + "." + (n & 255) + ".7" };
    return ask("visits", 9080, "/matomo.php?idsite=1&rec=1&_id=" + id + "&url=" + page, limit, visitor);
  };
  Promise.all([
    ...Array.from({ length: slowPages }, () => ask("pages", 9080, "/slow.php", limit)),
    ask("archiver", 8082, "/slow.php", limit),
    every(rate * length, rate, visit),
    // As kubelet asks.
    every(length, 1, () => ask("probes", 8082, "/matomo.php", 5)),
  ]).then(() => console.log(JSON.stringify(kinds)));`;

describe("traffic", () => {
  const site = new Site();
  let front: Running;
  before(async () => {
    await site.start();
    await site.up();
    const root = path.join(await ensureTool(nginx), "root");
    const conf = site.sandbox.files("nginx", { "nginx.conf": CONFIGURATION });
    front = await site.sandbox.spawn({
      image: { root },
      user: 65534,
      mounts: { "/conf": `${conf}:ro` },
      command: ["nginx", "-e", "stderr", "-c", "/conf/nginx.conf"],
    });
    const answers = async () => {
      if (front.exitCode !== null) throw new Error(`nginx ended:\n${front.output()}`);
      return (await site.http("GET", "http://matomo:9080/matomo.php")).status === 200;
    };
    await eventually("nginx", answers, "serverAnswers");
    const slow = `<?php for ($end = time() + ${SLOW_SECONDS}; time() < $end;) usleep(100000); echo 'read';`;
    fs.writeFileSync(site.path("html", "slow.php"), slow);
  });
  after(() => site.dispose());

  const title = `answers ${RATE} visits a second through ${SLOW_PAGES} pages of ${SLOW_SECONDS} s and an archive run`;
  it(title, async () => {
    const before = Number(await site.value("SELECT COUNT(*) FROM matomo_log_link_visit_action"));
    const plan = [RATE, LENGTH_SECONDS, SLOW_PAGES, seconds("requestAnswered"), HOST];
    const crowd = site.sandbox.run({
      user: 65534,
      mounts: {},
      command: [process.execPath, "-e", CROWD, JSON.stringify(plan)],
    });
    const archived = await site.archive();
    const { status, output } = await crowd;
    assert.equal(status, 0, output);
    const kinds = JSON.parse(output) as Record<string, Answers>;
    for (const [kind, { times, faults }] of Object.entries(kinds)) {
      const sorted = times.sort((a, b) => a - b);
      const at = (part: number) => sorted[Math.ceil(part * sorted.length) - 1];
      const answered = `${times.length - faults.length} of ${times.length} answered`;
      const percentiles = [0.5, 0.9, 0.99].map((part) => `p${part * 100} ${at(part)} ms`);
      console.log(`      ${kind}: ${answered}; ${percentiles.join(", ")}, slowest ${at(1)} ms`);
    }
    assert.equal(archived.status, 0, archived.output);
    for (const [kind, { faults }] of Object.entries(kinds)) assert.deepEqual(faults, [], kind);
    const asked = RATE * LENGTH_SECONDS;
    assert.deepEqual(
      Object.values(kinds)
        .map(({ times }) => times.length)
        .sort((a, b) => a - b),
      [1, SLOW_PAGES, LENGTH_SECONDS, asked].sort((a, b) => a - b),
    );
    const after = Number(await site.value("SELECT COUNT(*) FROM matomo_log_link_visit_action"));
    assert.equal(after - before, asked);
  });
});
