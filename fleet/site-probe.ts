/** The site as a visitor reaches it: does it answer over TLS, and when does its certificate end. */
import * as https from "node:https";
import type { TLSSocket } from "node:tls";
import { type RequestOptions, inWords } from "../components/http";

export interface SiteProbe {
  /** HTTP status of the login page, which needs the database. */
  status?: number;
  /** Whether a browser believes the certificate. */
  trusted?: boolean;
  issuer?: string;
  /** When the certificate ends. */
  validTo?: string;
  error?: string;
}

/** Longest silence, in milliseconds: a first request after a start, on a fifth of a processor, takes a while. */
const TIMEOUT = 30_000;

/** Where a site is reached other than by its name: before the name points there. */
export interface Address {
  host: string;
  port: number;
}

/** `HOST` or `HOST:PORT`. */
export function parseAddress(text: string): Address {
  const [, host, port] = /^(.+?)(?::(\d+))?$/.exec(text) ?? [];
  return { host, port: Number(port ?? 443) };
}

/** Options of a request to the site: by its name, whatever address it is at. */
export function requestTo(domain: string, address?: Address): RequestOptions {
  const { host: hostname, port } = address ?? { host: domain, port: 443 };
  return { hostname, port, servername: domain, headers: { host: domain }, timeout: TIMEOUT };
}

/** Asks for the login page. A certificate that nobody believes is told, not an error. */
export function probeSite(domain: string, address?: Address): Promise<SiteProbe> {
  return new Promise((resolve) => {
    const options = { ...requestTo(domain, address), path: "/index.php", agent: false };
    const request = https.get({ ...options, rejectUnauthorized: false }, (response) => {
      const socket = response.socket as TLSSocket;
      const certificate = socket.getPeerCertificate();
      response.resume();
      const name = certificate.issuer?.CN ?? certificate.issuer?.O;
      resolve({
        status: response.statusCode,
        trusted: socket.authorized,
        issuer: Array.isArray(name) ? name[0] : name,
        validTo: new Date(certificate.valid_to).toISOString(),
      });
    });
    request.on("timeout", () => request.destroy(new Error(`no answer within ${TIMEOUT / 1000} s`)));
    request.on("error", (error) => resolve({ error: inWords(error).message }));
  });
}
