/**
 * The passwords of a live site: those of its Secrets, or, where the database refuses one, the one
 * that really opens it.
 *
 * The old deploy script wrote fresh passwords into the Secrets at each upgrade, while the database
 * kept its first ones (incident 12). Each candidate is tried at the database itself, over standard
 * input: no value is in argv, in a message or in a file.
 */
import { decode } from "html-entities";
import { DATABASE_NAME } from "../../components/database";
import { DATABASE_USER, NAMES } from "../../components/labels";
import type { Execute, Executed } from "../execute";
import type { Data } from "../engine";

/** A pod and the container that its command runs in. */
export interface Place {
  pod: string;
  container: string;
}

export interface CredentialsArgs {
  /** The live Secrets by name, values in clear. */
  secrets: Record<string, Record<string, string> | undefined>;
  /** The ready pods; undefined when there is none. */
  web?: Place;
  database?: Place;
  execute: Execute;
}

/** What was found out. */
export interface LiveCredentials {
  /** Value by name of the program's RandomPassword; undefined where the next `up` makes one. */
  passwords: Record<string, string | undefined>;
  /** What the database says of itself, once it was opened. */
  versions: { mariadb?: string; matomo?: string };
  /** What a person should know. No value is in it. */
  notes: string[];
  /** Why the site cannot be adopted as it is, each with the way on. */
  blockers: string[];
}

interface Candidate {
  /** Where it was found. */
  source: string;
  value: string;
}

const TOKEN = /^[0-9a-f]{32}$/;
const SECRET = `Secret ${NAMES.database}`;

/** Finds the live passwords. */
export async function readCredentials(args: CredentialsArgs): Promise<LiveCredentials> {
  const { secrets } = args;
  const found: LiveCredentials = { passwords: {}, versions: {}, notes: [], blockers: [] };
  const site = secrets[NAMES.web];
  const database = secrets[NAMES.database];

  // A key that is empty is none: an empty password is in every text.
  found.passwords["admin-password"] = site?.["matomo-password"] || undefined;
  if (!found.passwords["admin-password"]) {
    found.notes.push(
      `Secret ${NAMES.web} has no key matomo-password: the next up makes one for the Secret, and the ` +
        "administrator keeps the one that he has",
    );
  }
  const token = site?.["archive-token"];
  found.passwords["archive-token"] = token && TOKEN.test(token) ? token : undefined;
  if (!found.passwords["archive-token"]) {
    found.notes.push(
      `Secret ${NAMES.web} has no ${token ? "valid " : ""}archive-token: the next up makes one, and ` +
        "the web pod registers it",
    );
  }
  found.passwords["state-token"] = secrets[NAMES.backup]?.["state-token"] || undefined;
  found.passwords["offsite-password"] =
    secrets[NAMES.offsite]?.["repository-password"] || undefined;

  if (!args.database) {
    found.blockers.push(
      `no ready pod of StatefulSet ${NAMES.database}: the passwords cannot be tried at the ` +
        `database. Bring it up first: kubectl -n matomo describe pod ${NAMES.database}-0`,
    );
    return found;
  }
  await databasePassword(args, args.database, database, found);
  await rootPassword(args, args.database, database, found);
  return found;
}

async function databasePassword(
  args: CredentialsArgs,
  place: Place,
  secret: Record<string, string> | undefined,
  found: LiveCredentials,
): Promise<void> {
  const stated = secret?.["mariadb-password"];
  const candidates = [
    candidate(SECRET, stated),
    candidate("config.ini.php", await fromConfig(args)),
    candidate("the database pod's environment", await fromEnvironment(args, "MARIADB_PASSWORD")),
  ].filter((one) => one !== undefined);
  const opened = await firstThatOpens(args.execute, place, DATABASE_USER, candidates);
  if (!opened) {
    const tried = candidates.map(({ source }) => source).join(", ") || "none was found";
    found.blockers.push(
      `no password opens the database for ${DATABASE_USER} (tried: ${tried}). Set the one of ` +
        `${SECRET} there, as root: ALTER USER '${DATABASE_USER}'@'%' IDENTIFIED BY …; then adopt again`,
    );
    return;
  }
  found.passwords["database-password"] = opened.value;
  Object.assign(found.versions, opened.versions);
  if (opened.value !== stated) {
    found.notes.push(
      stated
        ? `the database refuses the mariadb-password of ${SECRET}; the one of ${opened.source} ` +
            "opens it and is adopted"
        : `${SECRET} has no key mariadb-password; the one of ${opened.source} opens the database ` +
            "and is adopted",
    );
  }
}

async function rootPassword(
  args: CredentialsArgs,
  place: Place,
  secret: Record<string, string> | undefined,
  found: LiveCredentials,
): Promise<void> {
  const stated = secret?.["mariadb-root-password"];
  const environment = await fromEnvironment(args, "MARIADB_ROOT_PASSWORD");
  const candidates = [
    candidate(SECRET, stated),
    candidate("the database pod's environment", environment),
  ].filter((one) => one !== undefined);
  const opened = await firstThatOpens(args.execute, place, "root", candidates);
  const value = opened?.value ?? stated;
  if (!value) {
    found.blockers.push(
      `${SECRET} has no key mariadb-root-password, and no other place has one. Put root's password ` +
        "there, with kubectl edit, and adopt again",
    );
    return;
  }
  found.passwords["database-root-password"] = value;
  if (!opened) {
    found.notes.push(
      `the database refuses the mariadb-root-password of ${SECRET}: it is adopted as it is. Nothing ` +
        "here logs in as root; set the database's own when you can",
    );
  } else if (opened.value !== stated) {
    found.notes.push(
      `the mariadb-root-password that opens the database is the one of ${opened.source}; it is adopted`,
    );
  }
}

function candidate(source: string, value: string | undefined): Candidate | undefined {
  return value ? { source, value } : undefined;
}

async function fromConfig({ execute, web }: CredentialsArgs): Promise<string | undefined> {
  if (!web) return undefined;
  // On the old volume the site's root, on an adopted one the state.
  const script = "cat /var/www/html/config/config.ini.php";
  const { code, stdout } = await execute(web.pod, web.container, ["sh", "-c", script]);
  return code === 0 ? configPassword(stdout) : undefined;
}

/** The database's password as Matomo's config.ini.php has it: it writes values as HTML. */
export function configPassword(text: string): string | undefined {
  const section = /^\[database\]\s*$([\s\S]*?)(?=^\[|(?![\s\S]))/m.exec(text)?.[1];
  const value = section && /^password\s*=\s*(?:"((?:[^"\\]|\\.)*)"|(\S+))\s*$/m.exec(section);
  if (!value) return undefined;
  return decode(value[2] ?? value[1].replace(/\\(["\\])/g, "$1"), {
    level: "html4",
    scope: "strict",
  });
}

async function fromEnvironment(args: CredentialsArgs, name: string): Promise<string | undefined> {
  const { execute, database } = args;
  if (!database) return undefined;
  const command = ["printenv", name];
  const { code, stdout } = await execute(database.pod, database.container, command);
  return code === 0 ? stdout.replace(/\n$/, "") : undefined;
}

/** Asked of the database by whoever opens it; a fresh one has no option table. */
const QUESTION = `SELECT VERSION();
SELECT table_name FROM information_schema.tables
  WHERE table_schema = '${DATABASE_NAME}' AND table_name = 'matomo_option';`;
const MATOMO_VERSION = `SELECT option_value FROM ${DATABASE_NAME}.matomo_option
  WHERE option_name = 'version_core';`;

async function firstThatOpens(
  execute: Execute,
  place: Place,
  user: string,
  candidates: Candidate[],
): Promise<(Candidate & { versions: LiveCredentials["versions"] }) | undefined> {
  for (const { source, value } of candidates) {
    const ask = async (sql: string) => {
      const answer = await query(execute, place, user, value, sql);
      return answer.code === 0 ? answer.stdout.trim().split("\n") : undefined;
    };
    const [mariadb, table] = (await ask(QUESTION)) ?? [];
    if (!mariadb) continue;
    const [matomo] = (table && (await ask(MATOMO_VERSION))) || [];
    return { source, value, versions: { mariadb: numbers(mariadb), matomo: numbers(matomo) } };
  }
  return undefined;
}

/** What the database says to a password that it does not take; undefined when it takes it. */
export async function refusalOf(
  execute: Execute,
  place: Place,
  user: string,
  password: string,
): Promise<string | undefined> {
  const { code, stderr } = await query(execute, place, user, password, "SELECT 1");
  return code === 0 ? undefined : stderr.trim();
}

function query(
  execute: Execute,
  { pod, container }: Place,
  user: string,
  password: string,
  sql: string,
): Promise<Executed> {
  const command = ["sh", "-c", CLIENT, "client", sql];
  return execute(pod, container, command, optionFile(user, password));
}

/** The client of the image, whatever its name; its options come from standard input. */
const CLIENT =
  'exec "$(command -v mariadb || command -v mysql)" --defaults-extra-file=/dev/stdin ' +
  '--batch --skip-column-names --connect-timeout=30 --execute="$1"';

function optionFile(user: string, password: string): string {
  const quoted = password.replace(/[\\"]/g, "\\$&");
  return `[client]\nprotocol=tcp\nhost=127.0.0.1\nuser="${user}"\npassword="${quoted}"\n`;
}

/** `12.0.2` out of `12.0.2-MariaDB-ubu2404`. */
function numbers(version: string | undefined): string | undefined {
  return /^\d+\.\d+\.\d+/.exec(version ?? "")?.[0];
}

/** A Secret's values in clear. */
export function clear(secret: Data | undefined): Record<string, string> | undefined {
  if (!secret) return undefined;
  const decode = ([key, value]: [string, unknown]) => [
    key,
    Buffer.from(value as string, "base64").toString(),
  ];
  return Object.fromEntries(Object.entries((secret.data as Data) ?? {}).map(decode));
}
