/** Incident 12: a password that a slip makes anew, and the database is locked. */
import { RandomPassword } from "@pulumi/random/randomPassword";

export default function (): void {
  new RandomPassword("database-password", { length: 32 });
}
