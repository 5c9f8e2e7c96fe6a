/**
 * The page itself, as a person sees it who opens the site's address: the login, the visits, and
 * nothing that the site's own host did not send. UPDATE_SCREENSHOTS=1 makes docs/screenshot.png anew.
 */
import * as assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { eventually } from "../waits";
import { openBrowser, type Visitor } from "./browser";
import { HOST, type NodeSite, sharedSite } from "./harness";

const reports = "index.php?module=CoreHome&action=index";
const screenshot = path.resolve(__dirname, "../../docs/screenshot.png");

describe("the page itself", () => {
  let site: NodeSite;
  let visitor: Visitor;

  before(async () => {
    site = await sharedSite();
    visitor = await openBrowser(HOST, site.url);
  });
  after(() => visitor?.close());

  it("lets the administrator in, over a session that no plain request carries", async () => {
    const { page } = visitor;
    const { "matomo-username": login, "matomo-password": password } = await site.secret("matomo");
    await page.goto(`https://${HOST}/`);
    await page.type("#login_form_login", login);
    await page.type("#login_form_password", password);
    await Promise.all([page.waitForNavigation(), page.click("#login_form_submit")]);
    await page.waitForFunction(() => !document.querySelector("#login_form_login"));
    // The dashboard's widgets load one after the other.
    await page.waitForNetworkIdle();
    const session = (await page.cookies()).find(({ name }) => name === "MATOMO_SESSID");
    assert.equal(session?.secure, true);
    assert.equal(session?.httpOnly, true);
  });

  it("shows the recorded visit", async () => {
    const { page } = visitor;
    assert.equal(await site.track("seen-in-the-browser"), 200);
    const today = "idSite=1&period=day&date=today";
    const log = `${today}&category=General_Visitors&subcategory=Live_VisitorLog`;
    await page.goto(`https://${HOST}/${reports}&${today}#?${log}`);
    await page.waitForFunction(() => document.body.innerText.includes("seen-in-the-browser"));
    await page.waitForNetworkIdle();
    if (process.env.UPDATE_SCREENSHOTS === "1") {
      await fs.writeFile(screenshot, await page.screenshot({ type: "png" }));
    }
  });

  it("had no error, and asked nobody but the site", () => {
    assert.deepEqual(visitor.faults, []);
    assert.deepEqual(visitor.outside, []);
  });

  it("would have seen an error, and a request to the outside", async () => {
    const { page } = visitor;
    // A page without Matomo's own policy, which forbids most of it before there is a request.
    await page.goto(`https://${HOST}/matomo.php`);
    await page.evaluate(() => console.error("seen"));
    await page.evaluate(() => fetch("https://outside.example.com/").catch(() => undefined));
    const missing = page.waitForResponse(`https://${HOST}/missing`);
    await page.evaluate(() => fetch("/missing"));
    await missing;
    assert.deepEqual(visitor.outside, ["https://outside.example.com/"]);
    // The browser tells of these on its own way, beside its answers.
    for (const fault of ["console: seen", `404: https://${HOST}/missing`]) {
      await eventually(`it has seen ${fault}`, () => visitor.faults.includes(fault));
    }
  });
});
