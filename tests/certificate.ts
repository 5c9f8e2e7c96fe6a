/** Certificates of the tests' own servers. */
import { isIP } from "node:net";
import { generate } from "selfsigned";

/** A key and a certificate of a host or an address, both in PEM; nobody else has signed it. */
export async function certificateOf(host: string): Promise<{ key: string; cert: string }> {
  const name = isIP(host) ? ({ type: 7, ip: host } as const) : ({ type: 2, value: host } as const);
  const { private: key, cert } = await generate([{ name: "commonName", value: host }], {
    keySize: 2048,
    extensions: [{ name: "subjectAltName", altNames: [name] }],
  });
  return { key, cert };
}
