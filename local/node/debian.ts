/**
 * Root file systems of Debian's packages by mmdebstrap, which is itself only unpacked: nothing is
 * installed on the machine, and apt's own lists are not touched.
 */
import { existsSync, readFileSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { execa, ExecaError } from "execa";
import { DownloadError } from "../downloads";
import { UserError } from "../errors";

const aptFolder = "/etc/apt";
/** A server that is out of breath is asked again, one that says nothing is given up. */
const limits = [
  ["Acquire::Retries", "5"],
  ["Acquire::http::Timeout", "30"],
  ["Acquire::https::Timeout", "30"],
];
/** How apt says that it did not get what it asked for. */
const downloadWords = /(?:Failed|Unable) to fetch |index files failed to download/;
/** Memory, if there is one: dpkg waits for the disk after each of thousands of files. */
const memory = "/dev/shm";
/** What an image needs while it is made, in bytes. */
const enough = 2 * 1024 ** 3;
const excluded = [
  "/usr/share/doc/*",
  "/usr/share/man/*",
  "/usr/share/locale/*",
  "/usr/share/info/*",
];

/**
 * Makes `target` (a folder, or a tar file by its name) of `recipe`, a folder with packages.txt and,
 * where something is to be done besides, prepare.sh (before the packages are unpacked) and finish.sh;
 * each gets the root's folder. suite.txt names another Debian than the machine's own.
 */
export async function bootstrap(recipe: string, target: string): Promise<void> {
  const work = await fs.mkdtemp(path.join(await workFolder(target), "matomo-debian-"));
  try {
    const own = await debianSources();
    const suiteFile = path.join(recipe, "suite.txt");
    const suite = existsSync(suiteFile) ? (await fs.readFile(suiteFile, "utf8")).trim() : own.suite;
    // Its updates and its security fixes are named by it, too.
    const sources = own.sources.replaceAll(own.suite, suite);
    const sourcesFile = path.join(work, "debian.sources");
    await fs.writeFile(sourcesFile, sources);
    const tools = await unpack("mmdebstrap", sourcesFile, work);
    const packages = (await fs.readFile(path.join(recipe, "packages.txt"), "utf8"))
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    const hook = (name: string, when: string) => {
      const file = path.join(recipe, name);
      return existsSync(file) ? [`--${when}-hook=sh ${file} "$1"`] : [];
    };
    const args = [
      ...["--mode=root", "--variant=essential"],
      `--format=${target.endsWith(".tar") ? "tar" : "directory"}`,
      `--include=${packages.join(",")}`,
      "--aptopt=APT::Install-Recommends false",
      ...limits.map(([name, value]) => `--aptopt=${name} ${value}`),
      "--dpkgopt=force-unsafe-io",
      ...excluded.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
      ...hook("prepare.sh", "essential"),
      ...hook("finish.sh", "customize"),
      ...[suite, target, "-"],
    ];
    const tool = path.join(tools, "usr", "bin", "mmdebstrap");
    const PATH = `${path.dirname(tool)}:${process.env.PATH}`;
    await fetching(`Debian's ${packages.join(", ")}`, () =>
      execa(tool, args, { inputFile: sourcesFile, env: { PATH, TMPDIR: work, LC_ALL: "C" } }),
    );
  } finally {
    await fs.rm(work, { recursive: true, force: true });
  }
}

/** Why root file systems cannot be made here; undefined if they can. */
export function debianRefusal(): string | undefined {
  const release = "/etc/os-release"; // Ubuntu has apt-get and debian_version, too.
  const debian = existsSync(release) && /^ID=debian$/m.test(readFileSync(release, "utf8"));
  return debian && existsSync("/usr/bin/apt-get")
    ? undefined
    : "the node is made of Debian's packages and this is no Debian";
}

async function workFolder(target: string): Promise<string> {
  const { bavail, bsize } = await fs.statfs(memory).catch(() => ({ bavail: 0, bsize: 0 }));
  return bavail * bsize > enough ? memory : path.dirname(target);
}

/** The package sources of Debian itself, without those that were added to the machine. */
async function debianSources(): Promise<{ sources: string; suite: string }> {
  const release = await fs.readFile("/etc/os-release", "utf8");
  const suite = /^VERSION_CODENAME=(\w+)/m.exec(release)?.[1];
  const stanzas = path.join(aptFolder, "sources.list.d", "debian.sources");
  const lines = path.join(aptFolder, "sources.list");
  if (suite !== undefined && existsSync(stanzas)) {
    return { suite, sources: await fs.readFile(stanzas, "utf8") };
  }
  if (suite !== undefined && existsSync(lines)) {
    return { suite, sources: await fs.readFile(lines, "utf8") };
  }
  throw new UserError(
    `Found no ${stanzas} and no ${lines}, which say where Debian's packages come from: ` +
      "restore one of them, or start without root for simulated nodes.",
  );
}

/** Runs what fetches packages, and tells a server's failure from any other. */
async function fetching(what: string, run: () => Promise<unknown>): Promise<void> {
  await run().catch((error: unknown) => {
    const words = error instanceof ExecaError ? String(error.stderr) : "";
    if (!downloadWords.test(words)) throw error;
    // The first names what did not come, the last one sums up.
    const reason = words.split("\n").find((line) => downloadWords.test(line));
    throw new DownloadError(what, reason ?? "");
  });
}

/** Downloads one package with lists of its own and unpacks it; its folder. */
async function unpack(name: string, sourcesFile: string, work: string): Promise<string> {
  const folder = path.join(work, "apt");
  for (const sub of ["lists/partial", "archives/partial"]) {
    await fs.mkdir(path.join(folder, sub), { recursive: true });
  }
  const apt = [
    ...["-o", `Dir::State::Lists=${folder}/lists`, "-o", `Dir::Cache=${folder}`],
    ...["-o", `Dir::Etc::SourceList=${sourcesFile}`, "-o", "Dir::Etc::SourceParts=-"],
    ...["-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none"],
    // Else a list that did not come would only be missed later.
    ...["-o", "APT::Update::Error-Mode=any"],
    ...limits.flatMap(([option, value]) => ["-o", `${option}=${value}`]),
  ];
  const options = { cwd: folder, env: { LC_ALL: "C" } };
  await fetching("Debian's package lists", () => execa("apt-get", [...apt, "update"], options));
  await fetching(`Debian's ${name}`, () => execa("apt-get", [...apt, "download", name], options));
  const [archive] = (await fs.readdir(folder)).filter((file) => file.endsWith(".deb"));
  const unpacked = path.join(work, name);
  await execa("dpkg-deb", ["--extract", path.join(folder, archive), unpacked]);
  return unpacked;
}
