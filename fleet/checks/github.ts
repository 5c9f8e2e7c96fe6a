/** The little of GitHub's REST API that the comment needs: find, make, change. */
import { z } from "zod";

/** Where the comment goes, and as whom. */
export interface PullRequest {
  /** GitHub's own API, or an enterprise server's. */
  api: string;
  /** `owner/name`. */
  repository: string;
  number: number;
  token: string;
  /** Login that the token posts as: only its own comment is ever changed. */
  author: string;
}

const commentSchema = z.object({
  id: z.int(),
  body: z.string().nullish(),
  user: z.object({ login: z.string() }).nullable(),
});
const PAGE = 100;
const TIMEOUT_MS = 30_000;

/** What GitHub answered in place of doing it. */
export class GitHubError extends Error {}

/**
 * Puts this text into the pull request's comment that begins with the marker; makes it if it is not
 * there yet.
 * @throws GitHubError with GitHub's own words
 */
export async function upsertComment(
  pullRequest: PullRequest,
  marker: string,
  body: string,
): Promise<"created" | "updated"> {
  const issues = `/repos/${pullRequest.repository}/issues`;
  const found = await findComment(pullRequest, `${issues}/${pullRequest.number}/comments`, marker);
  if (found === undefined) {
    await call(pullRequest, "POST", `${issues}/${pullRequest.number}/comments`, { body });
    return "created";
  }
  await call(pullRequest, "PATCH", `${issues}/comments/${found}`, { body });
  return "updated";
}

async function findComment(
  pullRequest: PullRequest,
  comments: string,
  marker: string,
): Promise<number | undefined> {
  for (let page = 1; ; page++) {
    const answer = await call(pullRequest, "GET", `${comments}?per_page=${PAGE}&page=${page}`);
    const listed = z.array(commentSchema).parse(answer);
    const own = listed.find(
      ({ user, body }) => user?.login === pullRequest.author && body?.startsWith(marker),
    );
    if (own || listed.length < PAGE) return own?.id;
  }
}

async function call(
  { api, token }: PullRequest,
  method: string,
  path: string,
  body?: object,
): Promise<unknown> {
  const response = await fetch(`${api}${path}`, {
    method,
    headers: {
      accept: "application/vnd.github+json",
      authorization: `Bearer ${token}`,
      "x-github-api-version": "2022-11-28",
      ...(body && { "content-type": "application/json" }),
    },
    body: body && JSON.stringify(body),
    // A token is for this server alone.
    redirect: "error",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const text = await response.text();
  if (!response.ok) throw new GitHubError(`${method} ${path}: ${response.status} ${text}`.trim());
  return JSON.parse(text);
}
