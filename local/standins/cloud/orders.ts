/**
 * What the stand-in for Let's Encrypt has issued: production gives five certificates for the same
 * set of names within a week and no more (incident 16), staging as many as anybody likes. Kept in a
 * file, because a stack that is made again does not reset the real one either.
 */
import { readKept, writeKept } from "./kept";

const LIMIT = 5;
const WEEK = 7 * 24 * 3600 * 1000;

export interface Order {
  server: string;
  names: string[];
  at: number;
}

export class OrderBook {
  constructor(private readonly file: string) {}

  list(): Order[] {
    return readKept<Order[]>(this.file, []);
  }

  /** Books an order; the refusal, in Let's Encrypt's words, when the limit is reached. */
  place(server: string, names: string[], now = Date.now()): string | undefined {
    const orders = this.list();
    const same = orders.filter(
      (order) =>
        order.server === server && order.names.join() === names.join() && now - order.at < WEEK,
    );
    if (!server.includes("staging") && same.length >= LIMIT) {
      return (
        `too many certificates (${LIMIT}) already issued for this exact set of identifiers in the ` +
        "last 168h0m0s"
      );
    }
    writeKept(this.file, [...orders, { server, names, at: now }]);
    return undefined;
  }
}
