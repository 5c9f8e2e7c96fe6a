/**
 * Limits that agree with each other (design decisions 7 and 14, incidents 11 and 15).
 *
 * One number, the container's memory limit, decides what PHP, opcache, Apache's workers and
 * MariaDB's buffers may take, so that the sum of all worst cases fits the container.
 */

/** opcache's shared memory in MiB, once for all workers: Matomo's code takes half of it. */
export const OPCACHE_MIB = 96;
/** Apache's parents, the front, the shared libraries and the page tables of all workers, in MiB. */
const WEB_OVERHEAD_MIB = 64;
/** Workers beside the visitors': one for probes, one for the archive job, one for the state. */
export const INSIDE_WORKERS = 3;
/** What those take: a probe and the state next to nothing, the archive request while it waits, in MiB. */
const INSIDE_MIB = 80;
/** Matomo's own lowest memory_limit, in MiB. */
const MIN_PHP_MIB = 128;
/** An archiver needs as much for some ten thousand pages a day, in MiB. */
const MIN_ARCHIVER_MIB = 256;
/** Matomo's own memory_limit of an archiver, in MiB. A second one comes after it. */
const ENOUGH_ARCHIVER_MIB = 768;
/** Archivers at once, by Matomo's own default. */
const MAX_ARCHIVERS = 3;

/** What the web container's memory limit is divided into. */
export interface WebCapacity {
  /** Requests of visitors that PHP answers at once. */
  workers: number;
  /** How many of them may be pages, which can take long: the others are the tracker's. */
  pages: number;
  /** PHP's memory_limit of each worker, in MiB. */
  phpMemoryMib: number;
  /** PHP processes that the archive request runs at once, each for one report. */
  archivers: number;
  /** PHP's memory_limit of each of them, and of the request itself before and after them, in MiB. */
  archiverMemoryMib: number;
}

/**
 * Divides the web container's memory limit (MiB) among `workers` workers for visitors and the
 * archivers, to whom twice as much is given at least.
 * Returns the message of the settings error when they cannot fit.
 */
export function webCapacity(memoryMib: number, workers: number): WebCapacity | string {
  const free = memoryMib - OPCACHE_MIB - WEB_OVERHEAD_MIB - INSIDE_MIB;
  // All of Apache's workers have this limit, also those for what takes next to nothing.
  const most = (memoryMib - OPCACHE_MIB) / (workers + INSIDE_WORKERS);
  const phpMemoryMib = Math.floor(Math.min(free / (workers + 2), most));
  const left = free - workers * phpMemoryMib;
  if (phpMemoryMib >= MIN_PHP_MIB && left >= MIN_ARCHIVER_MIB) {
    const archivers = Math.min(MAX_ARCHIVERS, Math.max(1, Math.floor(left / ENOUGH_ARCHIVER_MIB)));
    return {
      workers,
      pages: workers - Math.ceil(workers / 3),
      phpMemoryMib,
      archivers,
      archiverMemoryMib: Math.floor(left / archivers),
    };
  }
  const shared = OPCACHE_MIB + WEB_OVERHEAD_MIB + INSIDE_MIB;
  const needed = Math.max(
    shared + workers * MIN_PHP_MIB + MIN_ARCHIVER_MIB,
    OPCACHE_MIB + (workers + INSIDE_WORKERS) * MIN_PHP_MIB,
  );
  return (
    `${workers} workers need ${MIN_PHP_MIB} MiB each, an archiver ${MIN_ARCHIVER_MIB}, opcache ` +
    `${OPCACHE_MIB}, Apache ${WEB_OVERHEAD_MIB} and requests from inside ${INSIDE_MIB}: at least ` +
    `${needed}Mi of memory`
  );
}

/** MariaDB's max_allowed_packet in MiB (incident 11: 16M; Matomo's system check wants 64). */
export const MAX_ALLOWED_PACKET_MIB = 128;
/** Aria's page cache: here it holds temporary tables that outgrew their memory, in MiB. */
export const ARIA_MIB = 32;
/** The server itself, its dictionary, InnoDB's log buffer and Aria's page cache, in MiB. */
export const DATABASE_BASE_MIB = 160 + ARIA_MIB;
/** A temporary table of a query grows to this size in memory, then goes to the disk, in MiB. */
export const TEMPORARY_TABLE_MIB = 4;
/** One connection: its thread's stack, sort, join, read and net buffers, and a temporary table, in MiB. */
export const CONNECTION_MIB = 6 + TEMPORARY_TABLE_MIB;
/** Connections beside the web pod's: backup, probes, a person with a shell, one for root. */
const SPARE_CONNECTIONS = 8;
/** Below this InnoDB thrashes on Matomo's log tables, in MiB. */
const MIN_BUFFER_POOL_MIB = 64;

/** What the database container's memory limit is divided into. */
export interface DatabaseCapacity {
  /** innodb_buffer_pool_size in MiB. */
  bufferPoolMib: number;
  /** max_connections: every PHP process holds one at most, and two while it forks. */
  maxConnections: number;
}

/**
 * Divides the database container's memory limit (MiB): connections for all PHP processes, one
 * largest packet, the server's own need; the rest, at most three quarters of all, is buffer pool.
 * Returns the message of the settings error when they cannot fit.
 */
export function databaseCapacity(memoryMib: number, workers: number): DatabaseCapacity | string {
  const maxConnections = 2 * (workers + MAX_ARCHIVERS) + SPARE_CONNECTIONS;
  const fixed = DATABASE_BASE_MIB + maxConnections * CONNECTION_MIB + MAX_ALLOWED_PACKET_MIB;
  const free = Math.min(memoryMib - fixed, Math.floor(memoryMib * 0.75));
  if (free >= MIN_BUFFER_POOL_MIB) return { bufferPoolMib: free, maxConnections };
  return (
    `${maxConnections} connections, one packet of ${MAX_ALLOWED_PACKET_MIB} MiB and the server ` +
    `take ${fixed} MiB, the buffer pool ${MIN_BUFFER_POOL_MIB}: at least ` +
    `${fixed + MIN_BUFFER_POOL_MIB}Mi of memory`
  );
}
