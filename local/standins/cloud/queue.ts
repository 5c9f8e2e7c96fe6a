/**
 * The work queue of the cloud stand-in's controllers, as controllers have it: one run at a time for
 * one key, a key that changes during its run is run once more, and a failed run is tried again,
 * later and later, until it succeeds: the API server may be away for as long as it likes.
 */
export interface QueueOptions {
  /** Wait before the first retry and the longest wait, in milliseconds. */
  minWait: number;
  maxWait: number;
  /** Told of each failure; `failures` were before it, in a row. */
  onError(key: string, error: Error, failures: number): void;
}

interface Item {
  run(): Promise<void>;
  running: boolean;
  again: boolean;
  failures: number;
  timer?: NodeJS.Timeout;
}

export class WorkQueue {
  private readonly items = new Map<string, Item>();
  private closed = false;

  constructor(private readonly options: QueueOptions) {}

  /** Runs `run` for the key, now or after the run that is under way. */
  add(key: string, run: () => Promise<void>): void {
    if (this.closed) return;
    const item = this.items.get(key) ?? { run, running: false, again: false, failures: 0 };
    this.items.set(key, item);
    item.run = run;
    item.failures = 0;
    if (item.running) item.again = true;
    else this.start(key, item);
  }

  close(): void {
    this.closed = true;
    for (const { timer } of this.items.values()) clearTimeout(timer);
  }

  private start(key: string, item: Item): void {
    clearTimeout(item.timer);
    item.running = true;
    item.again = false;
    item.run().then(
      () => this.finish(key, item),
      (error: Error) => this.finish(key, item, error),
    );
  }

  private finish(key: string, item: Item, error?: Error): void {
    item.running = false;
    if (this.closed) return;
    if (item.again) return this.start(key, item);
    if (!error) {
      this.items.delete(key);
      return;
    }
    this.options.onError(key, error, item.failures);
    const wait = Math.min(this.options.minWait * 2 ** item.failures, this.options.maxWait);
    item.failures += 1;
    item.timer = setTimeout(() => this.start(key, item), wait);
  }
}
