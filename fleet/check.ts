/**
 * The end-to-end check of a live site: a visit goes in through the front door, is archived, comes out
 * of the reports, and is removed again.
 */
import { randomBytes } from "node:crypto";
import * as https from "node:https";
import { Failure, reason } from "./errors";
import type { Progress } from "./run";
import { type Address, requestTo } from "./site-probe";

/** What a visit's page and visitor are called, so that nobody takes them for a real one. */
const MARK = "fleet-check";
/** Matomo leaves out what calls itself a robot. */
const BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
/** The site that the program made. */
const SITE = "1";

export interface SiteAccess {
  domain: string;
  /** Token of a super user; it goes over TLS to a believed certificate alone, and into no URL. */
  token: string;
  /** Default: the domain's own, port 443. */
  address?: Address;
  /** Certificates to believe beside the system's. */
  ca?: string;
}

interface Answer {
  status: number;
  text: string;
}

/** Asks the site over TLS. A certificate that is not believed is an error, before anything is sent. */
function request(
  { domain, address, ca }: SiteAccess,
  path: string,
  form?: URLSearchParams,
): Promise<Answer> {
  const { headers, ...options } = requestTo(domain, address);
  const body = form?.toString();
  const type = body === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" };
  return new Promise((resolve, reject) => {
    const sent = https.request(
      {
        ...options,
        ca,
        path,
        method: body === undefined ? "GET" : "POST",
        headers: { ...headers, ...type, "user-agent": BROWSER },
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (data: string) => (text += data));
        response.on("end", () => resolve({ status: response.statusCode!, text }));
      },
    );
    sent.on("timeout", () => sent.destroy(new Error("the site gave no answer in time")));
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Calls a method of Matomo's API. */
async function ask(
  site: SiteAccess,
  method: string,
  parameters: Record<string, string>,
): Promise<unknown> {
  const form = new URLSearchParams({
    ...{ module: "API", format: "json", method, token_auth: site.token },
    ...parameters,
  });
  const { status, text } = await request(site, "/index.php", form);
  const wrong = (what: string) => new Failure(`${method}: ${what}`);
  if (status !== 200) throw wrong(`HTTP ${status}`);
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw wrong(`no JSON, but: ${text.slice(0, 200)}`);
  }
  const error = answer as { result?: string; message?: string } | null;
  if (error?.result === "error") throw wrong(String(error.message));
  return answer;
}

interface Visit {
  idVisit: number | string;
}

export interface CheckArgs {
  /** Address that the website's pages begin with. */
  website: string;
  /** Has Matomo process its reports; undefined when it did, else why not. */
  archive: () => Promise<string | undefined>;
  progress: Progress;
}

/**
 * Checks a site. The visit is removed whatever became of it.
 * @throws Failure with the first step that did not hold
 */
export async function checkSite(site: SiteAccess, args: CheckArgs): Promise<void> {
  const visitor = randomBytes(8).toString("hex");
  const page = new URL(`/${MARK}-${visitor}`, args.website).href;
  const today = { idSite: SITE, period: "day", date: "today" };
  const visits = () =>
    ask(site, "Live.getLastVisitsDetails", {
      ...{ ...today, segment: `visitorId==${visitor}`, doNotFetchActions: "1" },
    }) as Promise<Visit[]>;

  args.progress("a visit goes in");
  const tracked = new URLSearchParams({
    ...{ idsite: SITE, rec: "1", _id: visitor, url: page, action_name: MARK, send_image: "0" },
  });
  const { status } = await request(site, `/matomo.php?${tracked}`);
  if (status !== 200 && status !== 204) throw new Failure(`the tracker answered HTTP ${status}`);
  const recorded = await visits();
  if (!recorded.length)
    throw new Failure("the tracker took the visit, and Matomo has not recorded it");
  try {
    await assertReported(site, args, today, page);
  } finally {
    args.progress("the visit is removed");
    await remove(site, recorded);
  }
  if ((await visits()).length) throw new Failure("the visit is still there after it was removed");
}

async function assertReported(
  site: SiteAccess,
  { archive, progress }: CheckArgs,
  today: Record<string, string>,
  page: string,
): Promise<void> {
  progress("it is archived");
  // A day that was archived minutes ago would not be archived again.
  await ask(site, "CoreAdminHome.invalidateArchivedReports", {
    ...{ idSites: SITE, dates: new Date().toISOString().slice(0, 10), period: "day" },
  });
  const failed = await archive();
  if (failed !== undefined) throw new Failure(`the visit was not archived: ${failed}`);
  progress("it comes out of the reports");
  const rows = await ask(site, "Actions.getPageUrl", { ...today, pageUrl: page });
  const hits = Array.isArray(rows) ? Number((rows[0] as { nb_hits?: unknown })?.nb_hits ?? 0) : 0;
  if (hits < 1)
    throw new Failure("the visit was archived, and the report of its page does not show it");
}

async function remove(site: SiteAccess, recorded: Visit[]): Promise<void> {
  const list = recorded.flatMap(({ idVisit }, i) => [
    [`visits[${i}][idsite]`, SITE],
    [`visits[${i}][idvisit]`, String(idVisit)],
  ]);
  try {
    await ask(site, "PrivacyManager.deleteDataSubjects", Object.fromEntries(list));
  } catch (error) {
    const ids = recorded.map(({ idVisit }) => idVisit).join(", ");
    throw new Failure(`visit ${ids} could not be removed: ${reason(error)}`);
  }
}
