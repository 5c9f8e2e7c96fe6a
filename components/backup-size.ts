/** What a backup needs on its volume. */

/** Of the database's size: its dump, and the whole of it once more while that is proven. */
const FACTOR = 1.6;
/** What the throw-away server has besides, in MiB. */
const SERVER_MIB = 300;

/**
 * Room that making and proving one backup takes, in MiB, for a database of so many MiB: as backup.sh
 * reckons before it begins.
 */
export function roomForBackup(databaseMib: number): number {
  return Math.ceil(databaseMib * FACTOR) + SERVER_MIB;
}

/** The largest database that a volume has room to back up, both in MiB. */
export function largestDatabase(volumeMib: number): number {
  return Math.max(Math.floor((volumeMib - SERVER_MIB) / FACTOR), 0);
}
