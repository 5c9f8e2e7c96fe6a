/**
 * A browser for the tests: headless Chromium of Debian's package, unpacked into the cache folder, in
 * front of a site as its visitors are, behind an ingress that ends TLS.
 */
import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import * as path from "node:path";
import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { certificateOf } from "../certificate";
import { chromium, ensureTool } from "../tools";
import { milliseconds } from "../waits";

/** Pages of one host in a browser, and all that went wrong on them. */
export interface Visitor {
  page: Page;
  /** Errors of the console and of scripts, and requests that failed or were refused. */
  faults: string[];
  /** Requests to any other host; they were not let through. */
  outside: string[];
  close(): Promise<void>;
}

/** Opens a browser to which `host` is the site at `url`, over https. */
export async function openBrowser(host: string, url: string): Promise<Visitor> {
  const root = await ensureTool(chromium);
  const front = await endTls(host, url);
  const browser = await puppeteer.launch({
    executablePath: path.join(__dirname, "chromium", "run.sh"),
    env: { ...process.env, CHROMIUM_ROOT: path.join(root, "root") },
    pipe: true,
    timeout: milliseconds("serverAnswers"),
    protocolTimeout: milliseconds("serverAnswers"),
    // In its own root file system, which is made anew at each start.
    userDataDir: "/tmp/profile",
    args: [
      // It needs rights that a container withholds; the only pages are the site's own.
      "--no-sandbox",
      `--ignore-certificate-errors-spki-list=${front.key}`,
      `--host-resolver-rules=MAP ${host}:443 127.0.0.1:${front.port}, MAP * ~NOTFOUND`,
    ],
  });
  const close = async () => {
    await browser.close();
    front.server.closeAllConnections();
    front.server.close();
  };
  return { ...(await openPage(browser, host)), close };
}

async function openPage(browser: Browser, host: string) {
  const page = await browser.newPage();
  page.setDefaultTimeout(milliseconds("serverAnswers"));
  await page.setViewport({ width: 1280, height: 800 });
  const faults: string[] = [];
  const outside: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`script: ${String(error)}`));
  page.on("response", (response) => {
    if (response.status() >= 400) faults.push(`${response.status()}: ${response.url()}`);
  });
  page.on("request", (request) => {
    const target = new URL(request.url());
    const own = target.host === host || target.protocol === "data:" || target.protocol === "blob:";
    if (!own) outside.push(request.url());
    void (own ? request.continue() : request.abort());
  });
  await page.setRequestInterception(true);
  return { page, faults, outside };
}

/**
 * Ends TLS for the host as a cluster's ingress controller does; the node's own stand-in of that
 * controller, which sets the headers, is reached by `url`.
 */
async function endTls(host: string, url: string) {
  const { key, cert } = await certificateOf(host);
  const server = https.createServer({ key, cert }, (request, response) => {
    const { method, headers } = request;
    const options = { method, headers, agent: false };
    const inner = http.request(new URL(request.url ?? "/", url), options, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(response);
    });
    inner.on("error", () => response.destroy());
    request.pipe(inner);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const spki = new X509Certificate(cert).publicKey.export({ type: "spki", format: "der" });
  return {
    server,
    port: (server.address() as AddressInfo).port,
    /** The only key that the browser believes without an authority. */
    key: createHash("sha256").update(spki).digest("base64"),
  };
}
