/** GeoIP databases in MaxMind's format. */

/** One field of a MaxMind database: a control byte (or two), then the payload. */
function field(type: number, size: number, payload: Buffer): Buffer {
  return Buffer.concat([
    type < 8 ? Buffer.from([(type << 5) | size]) : Buffer.from([size, type - 7]),
    payload,
  ]);
}
const text = (value: string) => field(2, value.length, Buffer.from(value));
const number = (type: number, value: number) => {
  const bytes = Buffer.from(value.toString(16).padStart(8, "0"), "hex");
  return field(type, 4, bytes);
};
const map = (entries: [string, Buffer][]) =>
  field(7, entries.length, Buffer.concat(entries.flatMap(([key, value]) => [text(key), value])));

/** The smallest GeoIP database there is: every address is in one country. */
export function geoDatabase(country: string): Buffer {
  const record = Buffer.from([0, 0, 17]); // one node, 16 bytes of separator
  const metadata = map([
    ["binary_format_major_version", field(5, 1, Buffer.from([2]))],
    ["binary_format_minor_version", field(5, 0, Buffer.alloc(0))],
    ["build_epoch", number(9, Math.floor(Date.now() / 1000))],
    ["database_type", text("DBIP-City-Lite")],
    ["description", map([])],
    ["ip_version", field(5, 1, Buffer.from([6]))],
    ["languages", field(11, 0, Buffer.alloc(0))],
    ["node_count", number(6, 1)],
    ["record_size", field(5, 1, Buffer.from([24]))],
  ]);
  return Buffer.concat([
    record,
    record,
    Buffer.alloc(16),
    map([["country", map([["iso_code", text(country)]])]]),
    Buffer.from("\xab\xcd\xefMaxMind.com", "latin1"),
    metadata,
  ]);
}
