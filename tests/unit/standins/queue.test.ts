/**
 * The controllers' work queue: one run at a time for a key, none forgotten, failures tried again.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { EventEmitter } from "node:events";
import { WorkQueue } from "../../../local/standins/cloud/queue";

describe("work queue of the cloud stand-in", () => {
  let queue: WorkQueue;
  let errors: string[];

  beforeEach(() => {
    errors = [];
    queue = new WorkQueue({
      minWait: 1,
      maxWait: 4,
      onError: (key, error, failures) => errors.push(`${key} ${error.message} ${failures}`),
    });
  });

  afterEach(() => queue.close());

  it("runs a key that changes during its run once more, and never twice at a time", async () => {
    const gate = new EventEmitter();
    let running = 0;
    let runs = 0;
    const run = async (): Promise<void> => {
      assert.equal(++running, 1);
      gate.emit("started");
      await once(gate, "go");
      running -= 1;
      runs += 1;
      gate.emit(`done ${runs}`);
    };
    queue.add("a", run);
    for (let n = 0; n < 5; n++) queue.add("a", run);
    const again = once(gate, "started");
    gate.emit("go");
    await again;
    const done = once(gate, "done 2");
    gate.emit("go");
    await done;
    assert.equal(runs, 2);
  });

  it("tries again what fails, until it succeeds, and tells each failure", async () => {
    let runs = 0;
    await new Promise<void>((resolve) => {
      queue.add("a", async () => {
        if (++runs < 4) throw new Error("away");
        resolve();
      });
    });
    assert.deepEqual(errors, ["a away 0", "a away 1", "a away 2"]);
  });

  it("runs other keys while one is under way", async () => {
    queue.add("slow", () => new Promise(() => undefined));
    await new Promise<void>((resolve) => queue.add("quick", async () => resolve()));
  });

  it("runs nothing after it was closed", async () => {
    queue.close();
    queue.add("a", async () => assert.fail("ran"));
    await new Promise(setImmediate);
  });
});
