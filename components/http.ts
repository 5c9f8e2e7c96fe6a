/** One request and its whole answer, by Node's own HTTP client. */
import * as http from "node:http";
import * as https from "node:https";

export interface Answer {
  status: number;
  body: string;
}

export type RequestOptions = https.RequestOptions & {
  /** Longest silence, in milliseconds. */
  timeout: number;
};

/** The error in words: Node gives none where a name has several addresses and each was tried. */
export function inWords(error: Error): Error {
  if (!(error instanceof AggregateError)) return error;
  return new Error(error.errors.map(({ message }: Error) => message).join(", "));
}

/** @throws Error (by the promise) when no answer comes, or one that breaks off in the middle */
export function exchange(url: URL, options: RequestOptions, body?: string): Promise<Answer> {
  const client = url.protocol === "https:" ? https : http;
  return new Promise((resolve, reject) => {
    const request = client.request(url, options, (response) => {
      const chunks: Buffer[] = [];
      // Broken off, it has no end.
      response.on("error", reject);
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({ status: response.statusCode!, body: Buffer.concat(chunks).toString() }),
      );
    });
    request.on("timeout", () =>
      request.destroy(new Error(`no answer in ${options.timeout / 1000} s`)),
    );
    request.on("error", (error) => reject(inWords(error)));
    request.end(body);
  });
}
