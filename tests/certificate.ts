/** Certificates of the tests' own servers. */
import { generate } from "selfsigned";

/** A key and a certificate of a host, both in PEM; nobody else has signed it. */
export async function certificateOf(host: string): Promise<{ key: string; cert: string }> {
  const { private: key, cert } = await generate([{ name: "commonName", value: host }], {
    keySize: 2048,
    extensions: [{ name: "subjectAltName", altNames: [{ type: 2, value: host }] }],
  });
  return { key, cert };
}
