/** The files that a container mounts from ConfigMaps of the stack. */
import { View } from "./data";
import { KubeObject } from "./objects";
import { Container, Workload } from "./workloads";

export interface MountedFile {
  name: string;
  /** Read when asked for: a file that nobody looks into may be unknown. */
  text(): string;
}

/** In the order in which PHP and Apache read a directory: by name. */
export function mountedFiles(
  container: Container,
  workload: Workload,
  configMaps: Map<string, KubeObject>,
): MountedFile[] {
  const files: MountedFile[] = [];
  const volumes = workload.spec.at("volumes");
  for (const mount of container.view.at("volumeMounts").list()) {
    const name = mount.at("name").text();
    const volume = volumes.list().find((v) => v.at("name").text() === name);
    if (!volume) {
      continue;
    }
    const subPath = mount.at("subPath").text();
    for (const source of [volume, ...volume.at("projected", "sources").list()]) {
      const ofSource = filesOf(source.at("configMap"), workload.object, configMaps);
      files.push(
        ...ofSource.filter((f) => !subPath || f.name === subPath).map((f) => renamed(f, mount)),
      );
    }
  }
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A single file mounted by subPath gets the name that it is mounted under. */
function renamed(file: MountedFile, mount: View): MountedFile {
  const name = mount.at("subPath").text() && mount.at("mountPath").text()?.split("/").at(-1);
  return name ? { ...file, name } : file;
}

function filesOf(
  source: View,
  object: KubeObject,
  configMaps: Map<string, KubeObject>,
): MountedFile[] {
  const map = configMaps.get(`${object.namespace()}/${source.at("name").text()}`);
  const items = new Map(
    source
      .at("items")
      .list()
      .map((item) => [item.at("key").text(), item.at("path").text()?.split("/").at(-1)]),
  );
  return (map?.view.at("data").entries() ?? [])
    .filter(([key]) => items.size === 0 || items.has(key))
    .map(([key, value]) => ({ name: items.get(key) ?? key, text: () => value.text() ?? "" }));
}
