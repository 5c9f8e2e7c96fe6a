/**
 * The end-to-end check of a live site: a visit goes in through the front door, is archived, comes out
 * of the reports, and is removed again.
 */
import { randomBytes } from "node:crypto";
import { type Answer, exchange } from "../components/http";
import { Failure, reason } from "./errors";
import type { Progress } from "./run";
import { type Address, requestTo } from "./site-probe";

/** What a visit's page and visitor are called, so that nobody takes them for a real one. */
const MARK = "fleet-check";
/** Matomo leaves out what calls itself a robot. */
const BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
export interface SiteAccess {
  domain: string;
  /** Token of a super user; it goes over TLS to a believed certificate alone, and into no URL. */
  token: string;
  /** Default: the domain's own, port 443. */
  address?: Address;
  /** Certificates to believe beside the system's. */
  ca?: string;
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
  const sent = {
    ...{ ...options, ca, method: body === undefined ? "GET" : "POST" },
    headers: { ...headers, ...type, "user-agent": BROWSER },
  };
  return exchange(new URL(path, `https://${domain}`), sent, body);
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
  const { status, body } = await request(site, "/index.php", form);
  const wrong = (what: string) => new Failure(`${method}: ${what}`);
  if (status !== 200) throw wrong(`HTTP ${status}`);
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch {
    throw wrong(`no JSON, but: ${body.slice(0, 200)}`);
  }
  const error = answer as { result?: string; message?: string } | null;
  if (error?.result === "error") throw wrong(String(error.message));
  return answer;
}

interface Visit {
  idVisit: number | string;
}

/** What Matomo says of a website. */
interface Website {
  /** Address that its pages begin with. */
  main_url: string;
  timezone?: string;
}

/** What the steps ask of: one website's reports of today. */
interface Scope {
  idSite: string;
  period: "day";
  date: "today";
}

export interface CheckArgs {
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
  // The program makes website 1; an adopted site may have others instead.
  const [first] = (await ask(site, "SitesManager.getAllSitesId", {})) as (number | string)[];
  if (first === undefined) throw new Failure("Matomo has no website yet: add one in its settings");
  const idSite = String(first);
  const website = (await ask(site, "SitesManager.getSiteFromId", { idSite })) as Website;
  const page = `${website.main_url.replace(/\/$/, "")}/${MARK}-${visitor}`;
  const today: Scope = { idSite, period: "day", date: "today" };
  const visits = () =>
    ask(site, "Live.getLastVisitsDetails", {
      ...{ ...today, segment: `visitorId==${visitor}`, doNotFetchActions: "1" },
    }) as Promise<Visit[]>;

  args.progress("a visit goes in");
  // `cid` names the visitor even where the site tracks without cookies and takes no `_id`.
  const tracked = new URLSearchParams({
    ...{ idsite: idSite, rec: "1", cid: visitor, url: page, action_name: MARK, send_image: "0" },
  });
  const { status } = await request(site, `/matomo.php?${tracked}`);
  if (status !== 200 && status !== 204) throw new Failure(`the tracker answered HTTP ${status}`);
  let recorded: Visit[] = [];
  try {
    recorded = await visits();
    if (!recorded.length)
      throw new Failure("the tracker took the visit, and Matomo has not recorded it");
    await assertReported(site, args, { today, page, timezone: website.timezone ?? "UTC" });
  } finally {
    args.progress("the visit is removed");
    // Where Matomo could not tell it at first, it may by now.
    if (!recorded.length) recorded = await visits().catch(() => []);
    if (recorded.length) await remove(site, idSite, recorded);
  }
  if ((await visits()).length) throw new Failure("the visit is still there after it was removed");
}

async function assertReported(
  site: SiteAccess,
  { archive, progress }: CheckArgs,
  { today, page, timezone }: { today: Scope; page: string; timezone: string },
): Promise<void> {
  const before = await pageViews(site, today);
  progress("it is archived");
  // A day that was archived minutes ago would not be archived again.
  await ask(site, "CoreAdminHome.invalidateArchivedReports", {
    ...{ idSites: today.idSite, dates: dateIn(timezone, new Date()), period: "day" },
  });
  const failed = await archive();
  if (failed !== undefined) throw new Failure(`the visit was not archived: ${failed}`);
  progress("it comes out of the reports");
  const rows = await ask(site, "Actions.getPageUrl", { ...today, pageUrl: page });
  const hits = Array.isArray(rows) ? Number((rows[0] as { nb_hits?: unknown })?.nb_hits ?? 0) : 0;
  // Of a day with more pages than that, Matomo keeps the 500 most seen by name, and of all the sum.
  if (hits < 1 && (await pageViews(site, today)) <= before)
    throw new Failure("the visit was archived, and the report of its page does not show it");
}

/** Page views of a day, as it was archived last. */
async function pageViews(site: SiteAccess, day: Scope): Promise<number> {
  const report = (await ask(site, "Actions.get", { ...day })) as { nb_pageviews?: unknown };
  return Number(report.nb_pageviews ?? 0);
}

/** The date, as YYYY-MM-DD, in a time zone of Matomo's: an IANA name, or hours such as UTC-3.5. */
export function dateIn(zone: string, time: Date): string {
  const hours = /^UTC([+-][\d.]+)$/.exec(zone)?.[1] ?? (zone === "UTC" ? "0" : undefined);
  if (hours !== undefined) {
    return new Date(time.getTime() + Number(hours) * 3600_000).toISOString().slice(0, 10);
  }
  // Sweden writes dates as ISO 8601 does.
  return new Intl.DateTimeFormat("sv-SE", { timeZone: zone }).format(time);
}

/**
 * Removes visits. Matomo itself notes that the reports of their day are to be made anew: the next archive
 * run that finds them older than a quarter of an hour leaves the visits out.
 */
async function remove(site: SiteAccess, idSite: string, recorded: Visit[]): Promise<void> {
  const list = recorded.flatMap(({ idVisit }, i) => [
    [`visits[${i}][idsite]`, idSite],
    [`visits[${i}][idvisit]`, String(idVisit)],
  ]);
  try {
    await ask(site, "PrivacyManager.deleteDataSubjects", Object.fromEntries(list));
  } catch (error) {
    const ids = recorded.map(({ idVisit }) => idVisit).join(", ");
    throw new Failure(`visit ${ids} could not be removed: ${reason(error)}`);
  }
}
