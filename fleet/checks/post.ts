/**
 * `npm run check:comment`: puts a report into the pull request's one comment. It needs the token of
 * the workflow and nothing of the stacks.
 */
import * as fs from "node:fs/promises";
import { Command, InvalidArgumentError } from "commander";
import { Refusal } from "../../components/failure";
import { runCommand } from "./command";
import { UsageError } from "../errors";
import { MARKER, renderComment, renderNone } from "./comment";
import { upsertComment } from "./github";
import { readReport } from "./report";

interface Options {
  /** False: there is none. */
  report?: string | false;
  pullRequest?: number;
  author: string;
  summary?: string;
}

function variable(name: string): string {
  const value = process.env[name];
  if (!value) throw new Refusal(`${name}: found nothing; a workflow's step sets it in its env`);
  return value;
}

/** Address of the workflow's run that this is part of. */
function runPage(): string | undefined {
  const { GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_RUN_ID } = process.env;
  if (!GITHUB_SERVER_URL || !GITHUB_REPOSITORY || !GITHUB_RUN_ID) return undefined;
  return `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}`;
}

async function run({ report, pullRequest, author, summary }: Options): Promise<void> {
  if (report === undefined) throw new UsageError("--report <file> or --no-report is needed");
  const body = report === false ? renderNone(runPage()) : renderComment(await readReport(report));
  if (summary !== undefined) await fs.appendFile(summary, body);
  if (pullRequest === undefined) {
    if (summary === undefined) console.log(body);
    return;
  }
  const done = await upsertComment(
    {
      api: process.env.GITHUB_API_URL ?? "https://api.github.com",
      repository: variable("GITHUB_REPOSITORY"),
      number: pullRequest,
      token: variable("GITHUB_TOKEN"),
      author,
    },
    MARKER,
    body,
  );
  console.log(`comment ${done}`);
}

function positive(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new InvalidArgumentError("a pull request's number");
  return Number(text);
}

const command = new Command("npm run check:comment --")
  .description("Renders a report as markdown and posts it, or changes the comment posted before.")
  .option("--report <file>", "what check:preview or check:offline wrote")
  .option("--no-report", "they wrote none: the comment of an earlier commit must not stay")
  .option("--pull-request <number>", "posts to it; otherwise the markdown is printed", positive)
  .option("--author <login>", "whom GITHUB_TOKEN posts as", "github-actions[bot]")
  .option("--summary <file>", "appends the markdown to a file: the job's summary")
  .addHelpText("after", "\nEnvironment: GITHUB_TOKEN, GITHUB_REPOSITORY, GITHUB_API_URL.")
  .action(run);
runCommand(command);
