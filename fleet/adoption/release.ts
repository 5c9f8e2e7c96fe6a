/**
 * Helm's side of a site: its release records, which say what Helm applied last.
 *
 * A record is a Secret `sh.helm.release.v1.NAME.vN` with labels `owner=helm`, `name`, `status` and
 * `version`; in it, base64 over gzip over JSON, whose `manifest` is YAML.
 */
import { gunzipSync } from "node:zlib";
import { parseAllDocuments } from "yaml";
import { NAMESPACE } from "../../components/labels";
import { type Api, title } from "./api";
import type { Data } from "../engine";

/** On each object that Helm applied: the release that it belongs to. */
export const RELEASE_ANNOTATION = "meta.helm.sh/release-name";

/** One release of the namespace, by its newest record. */
export interface Release {
  name: string;
  revision: number;
  /** deployed, failed, pending-upgrade, … */
  status: string;
  /** `name-version` of the chart. */
  chart: string;
  /** The objects that Helm applied last, by `Kind/name`. */
  manifest: Map<string, Data>;
  /** All of its records, the Secrets themselves. */
  records: Data[];
}

/** Helm's releases in the site's namespace. */
export async function readReleases(api: Api): Promise<Release[]> {
  const secrets = { apiVersion: "v1", kind: "Secret", namespace: NAMESPACE };
  const records = await api.list(secrets, "owner=helm");
  const names = new Set(records.map(({ metadata }) => metadata.labels.name as string));
  return [...names].map((name) => {
    const own = records
      .filter(({ metadata }) => metadata.labels.name === name)
      .sort((a, b) => revision(a) - revision(b));
    const newest = own[own.length - 1];
    const deployed = own.filter(({ metadata }) => metadata.labels.status === "deployed").pop();
    const { chart, manifest } = decode(deployed ?? newest);
    return {
      name,
      revision: revision(newest),
      status: newest.metadata.labels.status as string,
      chart,
      manifest,
      records: own,
    };
  });
}

function revision({ metadata }: Data): number {
  return Number(metadata.labels.version);
}

function decode(record: Data) {
  const inner = Buffer.from(record.data.release as string, "base64").toString();
  const json = gunzipSync(Buffer.from(inner, "base64")).toString();
  const release = JSON.parse(json) as { chart: { metadata: Data }; manifest: string };
  const { name, version } = release.chart.metadata;
  const objects = parseAllDocuments(release.manifest)
    .map((document) => document.toJS() as Data | null)
    .filter((object): object is Data => Boolean(object?.kind));
  const manifest = new Map(
    objects.map((object) => [title({ kind: object.kind, name: object.metadata.name }), object]),
  );
  return { chart: `${name}-${version}`, manifest };
}
