/** What runs in the pods of a site, as far as the command asks: on the api tier no pod really runs. */
import type { Executed } from "../../fleet/execute";

export interface LivePods {
  /** The password that really opens the database, by user. */
  accepted: Record<string, string>;
  /** What config.ini.php on the web volume has. */
  configured?: string;
  mariadb: string;
  matomo?: string;
}

const REFUSED: Executed = { code: 1, stdout: "", stderr: "Access denied" };

/** What a command in a pod answers. */
export function answer(
  { accepted, configured, mariadb, matomo }: LivePods,
  command: string[],
  input = "",
): Executed {
  const said = (stdout: string): Executed => ({ code: 0, stdout, stderr: "" });
  const line = command.join(" ");
  if (line.includes("config.ini.php")) {
    if (configured === undefined) return REFUSED;
    return said(`[General]\nsalt = "0"\n[database]\nhost = "x"\npassword = "${configured}"\n`);
  }
  if (command[0] === "printenv") return REFUSED;
  const [, user] = /^user="(.*)"$/m.exec(input) ?? [];
  const [, password] = /^password="(.*)"$/m.exec(input) ?? [];
  if (!user || accepted[user] !== password) return REFUSED;
  if (line.includes("VERSION()"))
    return said(`${mariadb}-MariaDB\n${matomo ? "matomo_option\n" : ""}`);
  return said(`${matomo}\n`);
}
