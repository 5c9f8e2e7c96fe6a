/**
 * The last line of defence: a credential of the environment that an error quotes does not get into
 * a report. A runner masks its log, but not what is posted.
 */

/** Variables that hold one. */
const CREDENTIALS = /TOKEN|PASSPHRASE$|PASSWORD|SECRET|ACCESS_KEY/;
/** Shorter values are no credentials, and would tear words apart. */
const SHORTEST = 8;

/** The same data, with each credential of the environment replaced. */
export function masked<T>(data: T, env: NodeJS.ProcessEnv = process.env): T {
  const secrets = Object.entries(env)
    .filter(([name, value = ""]) => CREDENTIALS.test(name) && value.length >= SHORTEST)
    .map(([, value]) => value!)
    .sort((a, b) => b.length - a.length);
  return mask(data, secrets) as T;
}

function mask(data: unknown, secrets: string[]): unknown {
  if (typeof data === "string") {
    return secrets.reduce((text, secret) => text.replaceAll(secret, "[secret]"), data);
  }
  if (Array.isArray(data)) return data.map((inner) => mask(inner, secrets));
  if (typeof data !== "object" || data === null) return data;
  return Object.fromEntries(
    Object.entries(data).map(([key, inner]) => [key, mask(inner, secrets)]),
  );
}
