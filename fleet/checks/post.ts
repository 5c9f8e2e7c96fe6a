/**
 * `npm run check:comment`: puts a report into the pull request's one comment. It needs the token of
 * the workflow and nothing of the stacks.
 */
import * as fs from "node:fs/promises";
import { Command, InvalidArgumentError } from "commander";
import { Refusal } from "../../components/failure";
import { runCommand } from "./command";
import { MARKER, renderComment } from "./comment";
import { upsertComment } from "./github";
import { readReport } from "./report";

interface Options {
  report: string;
  pullRequest?: number;
  author: string;
  summary?: string;
}

function variable(name: string): string {
  const value = process.env[name];
  if (!value) throw new Refusal(`${name}: found nothing; a workflow's step sets it in its env`);
  return value;
}

async function run({ report, pullRequest, author, summary }: Options): Promise<void> {
  const body = renderComment(await readReport(report));
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

if (require.main === module) {
  const command = new Command("npm run check:comment --")
    .description("Renders a report as markdown and posts it, or changes the comment posted before.")
    .requiredOption("--report <file>", "what check:preview or check:offline wrote")
    .option("--pull-request <number>", "posts to it; otherwise the markdown is printed", positive)
    .option("--author <login>", "whom GITHUB_TOKEN posts as", "github-actions[bot]")
    .option("--summary <file>", "appends the markdown to a file: the job's summary")
    .addHelpText("after", "\nEnvironment: GITHUB_TOKEN, GITHUB_REPOSITORY, GITHUB_API_URL.")
    .action(run);
  runCommand(command);
}
