/**
 * Calls of the digitalocean stand-ins to the local cloud's HTTP API (cloud.ts), which has the shape
 * of DigitalOcean's version 2 API. The address is read at each call: the cloud may be restarted.
 */
import { readFileSync } from "node:fs";
import * as path from "node:path";

export interface VolumeRecord {
  id: string;
  name: string;
  region: { slug: string };
  size_gigabytes: number;
  description: string;
  filesystem_type: string;
  filesystem_label: string;
  droplet_ids: number[];
  tags: string[];
  created_at: string;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    method: string,
    path: string,
    message: string,
  ) {
    super(`${method} ${path}: ${status} ${message}`);
  }
}

export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(new URL(path, cloudUrl()), {
    method,
    headers: { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  const answer = text === "" ? {} : JSON.parse(text);
  if (!response.ok) throw new ApiError(response.status, method, path, answer.message ?? text);
  return answer as T;
}

/** The volume, or undefined when the API says that there is none. */
export async function findVolume(id: string): Promise<VolumeRecord | undefined> {
  return (await found<{ volume: VolumeRecord }>(`/v2/volumes/${encodeURIComponent(id)}`))?.volume;
}

/** What the API has at a path, or undefined when it says that there is nothing. */
export async function found<T extends object>(path: string): Promise<T | undefined> {
  try {
    return await call<T>("GET", path);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** MATOMO_LOCAL_CLOUD names the file; without it, the file is in the cluster's own folder. */
function cloudUrl(): string {
  const { MATOMO_LOCAL_CLOUD, MATOMO_LOCAL_KUBECONFIG = "kubeconfig" } = process.env;
  const beside = path.join(path.dirname(MATOMO_LOCAL_KUBECONFIG), "cluster", "cloud.json");
  const file = MATOMO_LOCAL_CLOUD ?? beside;
  try {
    return (JSON.parse(readFileSync(file, "utf8")) as { url: string }).url;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`no local cloud runs (${why}): npm start runs one`, { cause: error });
  }
}
