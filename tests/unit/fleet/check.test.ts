/** The check's steps against a stand-in for Matomo behind TLS, which answers as Matomo does. */
import assert from "node:assert/strict";
import { once } from "node:events";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, describe, it } from "mocha";
import { certificateOf } from "../../certificate";
import { checkSite, dateIn, type SiteAccess } from "../../../fleet/check";

const DOMAIN = "matomo.example.com";
const TOKEN = "0123456789abcdef0123456789abcdef";

describe("fleet check", () => {
  let server: https.Server;
  let site: SiteAccess;
  /** Visits as they were tracked, by visitor. */
  let visits: Map<string, { idVisit: number; page: string }>;
  let archived: string[];
  let asked: string[];
  let urls: string[];
  /** Methods that do nothing, or answer with an error. */
  let deaf: Set<string>;
  let errors: Map<string, string>;
  /** Whether each answer ends in its middle. */
  let broken: boolean;
  let invalidated: string[];
  let timezone: string;
  let sites: number[];
  /** Whether the day has so many pages that its report does not name each. */
  let isBusy: boolean;

  let answer = (form: URLSearchParams): unknown => {
    const method = form.get("method")!;
    asked.push(method);
    if (form.get("token_auth") !== TOKEN) return { result: "error", message: "no access" };
    if (errors.has(method)) return { result: "error", message: errors.get(method) };
    if (deaf.has(method)) return [];
    const visitor = form.get("segment")?.split("==")[1] ?? "";
    switch (method) {
      case "Live.getLastVisitsDetails":
        return visits.has(visitor) ? [visits.get(visitor)] : [];
      case "SitesManager.getAllSitesId":
        return sites;
      case "SitesManager.getSiteFromId":
        return { idsite: form.get("idSite"), main_url: "https://shop.example.com/en/", timezone };
      case "CoreAdminHome.invalidateArchivedReports":
        invalidated.push(form.get("dates")!);
        return ["Success"];
      case "Actions.get":
        return archived.length ? { nb_pageviews: archived.length } : [];
      case "Actions.getPageUrl":
        if (isBusy) return [];
        return archived.includes(form.get("pageUrl")!) ? [{ nb_hits: 1 }] : [];
      case "PrivacyManager.deleteDataSubjects":
        for (const [key, { idVisit }] of visits) {
          if (String(idVisit) === form.get("visits[0][idvisit]")) visits.delete(key);
        }
        return { log_visit: 1 };
      default:
        return ["Success"];
    }
  };

  before(async () => {
    const pem = await certificateOf(DOMAIN);
    server = https.createServer(pem, (request, response) => {
      urls.push(request.url!);
      const url = new URL(request.url!, `https://${DOMAIN}`);
      if (url.pathname === "/matomo.php") {
        const { cid, url: page } = Object.fromEntries(url.searchParams);
        if (!deaf.has("tracker")) visits.set(cid, { idVisit: visits.size + 7, page });
        response.writeHead(errors.has("tracker") ? 503 : 204).end();
        return;
      }
      let body = "";
      request.setEncoding("utf8").on("data", (data: string) => (body += data));
      request.on("end", () => {
        const text = JSON.stringify(answer(new URLSearchParams(body)));
        if (broken) {
          // A pod that is killed in the middle.
          response.writeHead(200, { "content-length": text.length });
          response.write(text.slice(0, 1), () => response.destroy());
        } else response.end(text);
      });
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    site = { domain: DOMAIN, token: TOKEN, address: { host: "127.0.0.1", port }, ca: pem.cert };
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    visits = new Map();
    archived = [];
    asked = [];
    urls = [];
    deaf = new Set();
    errors = new Map();
    broken = false;
    invalidated = [];
    timezone = "UTC";
    sites = [3, 8];
    isBusy = false;
  });

  const check = (archive?: () => Promise<string | undefined>) =>
    checkSite(site, {
      progress: () => undefined,
      archive:
        archive ??
        (async () => {
          archived = [...visits.values()].map(({ page }) => page);
          return undefined;
        }),
    });

  it("takes a visit in, has it archived, finds it in the report and removes it", async () => {
    await check();
    assert.deepEqual(asked, [
      "SitesManager.getAllSitesId",
      "SitesManager.getSiteFromId",
      "Live.getLastVisitsDetails",
      "Actions.get",
      "CoreAdminHome.invalidateArchivedReports",
      "Actions.getPageUrl",
      "PrivacyManager.deleteDataSubjects",
      "Live.getLastVisitsDetails",
    ]);
    assert.match(archived[0], /^https:\/\/shop\.example\.com\/en\/fleet-check-[0-9a-f]{16}$/);
    assert.equal(visits.size, 0);
    // The first website that there is: of an adopted site, number 1 may be gone.
    assert.ok(urls.some((url) => url.includes("idsite=3&")));
  });

  it("goes by the day's sum where the report is too long to name the page", async () => {
    isBusy = true;
    archived = ["https://shop.example.com/en/"];
    await check(async () => {
      archived.push("https://shop.example.com/en/fleet-check");
      return undefined;
    });
    await assert.rejects(
      check(async () => undefined),
      /the report of its page does not show it/,
    );
    assert.equal(visits.size, 0);
  });

  it("says that there is no website", async () => {
    sites = [];
    await assert.rejects(check(), /has no website yet/);
  });

  it("says that an answer broke off, in place of waiting for its end", async () => {
    broken = true;
    await assert.rejects(check(), /aborted|socket hang up/);
  });

  it("has the day archived again that it is where the website is", async () => {
    for (timezone of ["UTC", "Pacific/Kiritimati", "UTC-12"]) await check();
    const now = Date.now();
    const dates = [0, 14, -12].map((hours) => new Date(now + hours * 3600_000).toISOString());
    assert.deepEqual(
      invalidated,
      dates.map((date) => date.slice(0, 10)),
    );
    const time = new Date("2026-03-01T20:00:00Z");
    assert.equal(dateIn("Asia/Tokyo", time), "2026-03-02");
    assert.equal(dateIn("America/New_York", time), "2026-03-01");
    assert.equal(dateIn("UTC+5.5", time), "2026-03-02");
  });

  it("removes a visit that Matomo could not tell at first", async () => {
    errors.set("Live.getLastVisitsDetails", "busy");
    const once = answer;
    answer = (form) => {
      const said = once(form);
      if (form.get("method") === "Live.getLastVisitsDetails") errors.clear();
      return said;
    };
    await assert.rejects(check(), { message: "Live.getLastVisitsDetails: busy" });
    answer = once;
    assert.equal(visits.size, 0);
  });

  it("has the token in no URL", async () => {
    await check();
    assert.ok(urls.every((url) => !url.includes(TOKEN)));
  });

  it("sends nothing to a certificate that is not believed", async () => {
    const args = { progress: () => undefined, archive: async () => "" };
    await assert.rejects(checkSite({ ...site, ca: undefined }, args), /self-signed certificate/);
    assert.deepEqual(urls, []);
  });

  it("says that the tracker refuses", async () => {
    errors.set("tracker", "");
    await assert.rejects(check(), { message: "the tracker answered HTTP 503" });
  });

  it("says that a visit was answered and is not there", async () => {
    deaf.add("tracker");
    await assert.rejects(check(), /has not recorded it/);
  });

  it("removes the visit when it was not archived, and says why it was not", async () => {
    await assert.rejects(
      check(async () => "archive: ERROR: HTTP 401"),
      {
        message: "the visit was not archived: archive: ERROR: HTTP 401",
      },
    );
    assert.equal(visits.size, 0);
  });

  it("removes the visit when the report does not show it", async () => {
    await assert.rejects(
      check(async () => undefined),
      /the report of its page does not show it/,
    );
    assert.equal(visits.size, 0);
  });

  it("names the visit that it could not remove", async () => {
    errors.set("PrivacyManager.deleteDataSubjects", "no access");
    await assert.rejects(
      check(),
      /^Error: visit 7 could not be removed: PrivacyManager.deleteDataSubjects: no access$/,
    );
  });

  it("does not take a removal's word for it", async () => {
    deaf.add("PrivacyManager.deleteDataSubjects");
    await assert.rejects(check(), { message: "the visit is still there after it was removed" });
  });

  it("tells Matomo's own error", async () => {
    errors.set("Live.getLastVisitsDetails", "Unable to authenticate");
    await assert.rejects(check(), {
      message: "Live.getLastVisitsDetails: Unable to authenticate",
    });
  });
});
