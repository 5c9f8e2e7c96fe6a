import assert from "node:assert/strict";
import fc from "fast-check";
import {
  databaseCapacity,
  MAX_ALLOWED_PACKET_MIB,
  OPCACHE_MIB,
  webCapacity,
} from "../../../components/capacity";
import { serverOptions } from "../../../components/database";

describe("capacity from one number", () => {
  it("of the default web container: four workers and one archiver in 1Gi", () => {
    assert.deepEqual(webCapacity(1024, 4), {
      workers: 4,
      pages: 2,
      phpMemoryMib: 130,
      archivers: 1,
      archiverMemoryMib: 264,
    });
  });

  it("of a large web container: Matomo's own memory for an archiver, then more archivers", () => {
    const archivers = [2048, 4096, 8192, 16384].map((memory) => {
      const capacity = webCapacity(memory, 8);
      if (typeof capacity === "string") throw new Error(capacity);
      assert.ok(capacity.archivers === 1 || capacity.archiverMemoryMib >= 768);
      return capacity.archivers;
    });
    assert.deepEqual(archivers, [1, 1, 2, 3]);
  });

  it("of the default database container: three quarters are more than 1Gi has left", () => {
    assert.deepEqual(databaseCapacity(1024, 4), { bufferPoolMib: 484, maxConnections: 22 });
  });

  it("never lets PHP's worst case pass the container's limit (incident 15)", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 65536 }),
        fc.integer({ min: 2, max: 256 }),
        (memory, n) => {
          const capacity = webCapacity(memory, n);
          if (typeof capacity === "string") return;
          const { workers, pages, phpMemoryMib, archivers, archiverMemoryMib } = capacity;
          assert.ok(workers === n && pages >= 1 && pages < n);
          assert.ok(phpMemoryMib >= 128 && archiverMemoryMib >= 256);
          // The request that waits for its archivers, a probe and the state beside them.
          const atOnce = n * phpMemoryMib + archivers * archiverMemoryMib + 80;
          assert.ok(atOnce + OPCACHE_MIB + 64 <= memory);
          // All of Apache's workers, as the policy pack counts.
          assert.ok((n + 3) * phpMemoryMib + OPCACHE_MIB <= memory);
        },
      ),
    );
  });

  it("never lets MariaDB's worst case pass the container's limit", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 65536 }),
        fc.integer({ min: 1, max: 256 }),
        (memory, n) => {
          const capacity = databaseCapacity(memory, n);
          if (typeof capacity === "string") return;
          const { bufferPoolMib, maxConnections } = capacity;
          assert.ok(bufferPoolMib + maxConnections * 10 + MAX_ALLOWED_PACKET_MIB < memory);
          assert.ok(maxConnections > 2 * n, "every worker may connect");
        },
      ),
    );
  });

  it("says how much would be enough, and that is enough", () => {
    for (const [memory, workers] of [
      [256, 2],
      [512, 16],
      [1024, 64],
    ]) {
      for (const capacity of [webCapacity, databaseCapacity]) {
        const message = capacity(memory, workers);
        if (typeof message !== "string") continue;
        const enough = Number(/at least (\d+)Mi/.exec(message)?.[1]);
        assert.equal(typeof capacity(enough, workers), "object", message);
        assert.equal(typeof capacity(enough - 1, workers), "string", message);
      }
    }
  });

  it("reaches MariaDB's option file (incident 11)", () => {
    const options = serverOptions({ bufferPoolMib: 512, maxConnections: 22 });
    assert.match(options, /^innodb_buffer_pool_size = 512M$/m);
    assert.match(options, /^max_connections = 22$/m);
    assert.match(options, /^max_allowed_packet = 128M$/m);
  });
});
