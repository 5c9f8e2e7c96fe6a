/**
 * DigitalOcean's own API, as far as a command asks it: clusters, their kubeconfig, Volumes. The program
 * asks through the provider; a command that started an engine for one answer would take seconds for it.
 *
 * The environment is the provider's: DIGITALOCEAN_TOKEN or DIGITALOCEAN_ACCESS_TOKEN, and
 * DIGITALOCEAN_API_URL for another address of the API.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Refusal } from "../components/failure";
import { Failure, reason } from "./errors";

const API = "https://api.digitalocean.com";
/** Longest wait for one answer, in milliseconds. */
const TIMEOUT_MS = 60_000;
/** How often an answer that is DigitalOcean's own fault, or none at all, is asked for. */
const TRIES = 3;
/** Between two tries, in milliseconds, unless the answer says how long. */
const PAUSE_MS = 1_000;
/** The most of one page. */
const PER_PAGE = 200;

/** A DigitalOcean Kubernetes cluster. */
export interface Doks {
  id: string;
  region: string;
  /** Its kubeconfig; it holds credentials. */
  rawConfig: string;
}

interface Listed {
  id: string;
  name: string;
  region: string;
}

/** How it is asked. */
export interface AskOptions {
  /** Ends the wait. */
  signal?: AbortSignal;
  /** Longest wait for one answer, in milliseconds. Default: a minute. */
  timeout?: number;
  /** Between two tries, in milliseconds. Default: a second. */
  pause?: number;
}

/**
 * The cluster of that name, with a fresh kubeconfig.
 * @throws Refusal when there is none, or no token, or the token may not read it; Failure when
 *   DigitalOcean does not answer
 */
export async function readDoks(name: string, options: AskOptions = {}): Promise<Doks> {
  const what = `DigitalOcean's cluster "${name}" cannot be read`;
  const clusters = await inContext(what, listClusters(options));
  const found = clusters.find((cluster) => cluster.name === name);
  if (!found) {
    const names = clusters.map((cluster) => cluster.name).sort();
    const known = names.length ? `there are: ${names.join(", ")}` : "the token sees no cluster";
    throw new Refusal(`${what}: no such cluster (${known})`);
  }
  const { id, region } = found;
  const where = `/v2/kubernetes/clusters/${encodeURIComponent(id)}/kubeconfig`;
  return { id, region, rawConfig: await inContext(what, ask(where, options)) };
}

/**
 * Id of the Volume of that name in a region; undefined when there is none.
 * @throws Refusal when the token is missing or refused; Failure when DigitalOcean does not answer
 */
export async function findVolume(
  name: string,
  region: string,
  options: AskOptions = {},
): Promise<string | undefined> {
  const query = new URLSearchParams({ name, region });
  const answer = await ask(`/v2/volumes?${query}`, options);
  return (JSON.parse(answer) as { volumes: { id: string }[] }).volumes[0]?.id;
}

async function listClusters(options: AskOptions): Promise<Listed[]> {
  const all: Listed[] = [];
  for (let page = 1; ; page++) {
    const answer = await ask(`/v2/kubernetes/clusters?page=${page}&per_page=${PER_PAGE}`, options);
    const { kubernetes_clusters: clusters, links } = JSON.parse(answer) as {
      kubernetes_clusters?: Listed[];
      links?: { pages?: { next?: string } };
    };
    all.push(...(clusters ?? []));
    if (!links?.pages?.next) return all;
  }
}

/** The body of an answer that is none of an error. */
async function ask(where: string, options: AskOptions): Promise<string> {
  const { DIGITALOCEAN_TOKEN, DIGITALOCEAN_ACCESS_TOKEN, DIGITALOCEAN_API_URL } = process.env;
  const token = DIGITALOCEAN_TOKEN || DIGITALOCEAN_ACCESS_TOKEN;
  if (!token) {
    throw new Refusal(
      "DIGITALOCEAN_TOKEN is not set: export it with a token that may read Kubernetes clusters " +
        "and their kubeconfig",
    );
  }
  const url = new URL(where, DIGITALOCEAN_API_URL || API);
  for (let tried = 1; ; tried++) {
    const { status, body, after } = await exchange(url, token, options).catch((error: unknown) => {
      if (options.signal?.aborted || tried === TRIES) throw error;
      return { status: 0, body: "", after: undefined };
    });
    if (status >= 200 && status < 300) return body;
    const isTheirs = status === 0 || status === 429 || status >= 500;
    if (!isTheirs || tried === TRIES) throw refusalOf(status, body);
    await delay(after ?? options.pause ?? PAUSE_MS, undefined, { signal: options.signal });
  }
}

async function exchange(url: URL, token: string, { signal, timeout = TIMEOUT_MS }: AskOptions) {
  const late = AbortSignal.timeout(timeout);
  try {
    const response = await fetch(url, {
      headers: { accept: "application/json, application/yaml", authorization: `Bearer ${token}` },
      signal: signal ? AbortSignal.any([signal, late]) : late,
    });
    const seconds = Number(response.headers.get("retry-after") ?? NaN);
    const after = Number.isFinite(seconds) ? Math.min(seconds * 1000, timeout) : undefined;
    return { status: response.status, body: await response.text(), after };
  } catch (error) {
    if (late.aborted) throw new Failure(`no answer in ${timeout / 1000} s`);
    const { cause } = error as { cause?: unknown };
    throw new Failure(`${url.host}: ${reason(cause ?? error)}`);
  }
}

/** What an answer that is an error says, and what to do. */
function refusalOf(status: number, body: string): Error {
  let said = body.split("\n")[0].slice(0, 200);
  try {
    said = (JSON.parse(body) as { message?: string }).message ?? said;
  } catch {
    // Not DigitalOcean's own words, but those of something in between.
  }
  const answer = `DigitalOcean answers ${status}: ${said}`;
  if (status === 401) {
    return new Refusal(`${answer}. DIGITALOCEAN_TOKEN is not valid, or not any more`);
  }
  if (status === 403) {
    return new Refusal(
      `${answer}. DIGITALOCEAN_TOKEN lacks a scope: kubernetes:read, kubernetes:access_cluster ` +
        "and block_storage:read are needed",
    );
  }
  return new Failure(answer);
}

async function inContext<T>(what: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Refusal) throw new Refusal(`${what}: ${reason(error)}`);
    throw new Failure(`${what}: ${reason(error)}`);
  }
}
