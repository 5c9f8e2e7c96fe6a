/**
 * Limits that agree with each other (design decisions 7 and 14, incidents 11 and 15).
 *
 * One number, the container's memory limit, decides what PHP, opcache, Apache's workers and
 * MariaDB's buffers may take, so that the sum of all worst cases fits the container.
 */

/** opcache's shared memory in MiB, as the seed demands; it counts once for all workers. */
export const OPCACHE_MIB = 256;
/** Apache's parent, the shared libraries and the page tables of its workers, in MiB. */
const WEB_OVERHEAD_MIB = 64;
/** Matomo's archiver forks this many PHP processes beside Apache's workers (CronArchive). */
const ARCHIVERS = 3;
/** Below this a page of Matomo's own interface runs out of memory, in MiB. */
const MIN_PHP_MIB = 64;

/** What the web container's memory limit is divided into. */
export interface WebCapacity {
  /** Apache's MaxRequestWorkers. */
  workers: number;
  /** PHP's memory_limit of each worker and each archiver, in MiB. */
  phpMemoryMib: number;
}

/**
 * Divides the web container's memory limit (MiB) among `workers` Apache workers and the archivers.
 * Returns the message of the settings error when they cannot fit.
 */
export function webCapacity(memoryMib: number, workers: number): WebCapacity | string {
  const processes = workers + ARCHIVERS;
  const phpMemoryMib = Math.floor((memoryMib - OPCACHE_MIB - WEB_OVERHEAD_MIB) / processes);
  if (phpMemoryMib >= MIN_PHP_MIB) return { workers, phpMemoryMib };
  const needed = processes * MIN_PHP_MIB + OPCACHE_MIB + WEB_OVERHEAD_MIB;
  return (
    `${workers} workers and ${ARCHIVERS} archivers need ${MIN_PHP_MIB} MiB each, opcache ` +
    `${OPCACHE_MIB} MiB and Apache ${WEB_OVERHEAD_MIB} MiB: at least ${needed}Mi of memory`
  );
}

/** MariaDB's max_allowed_packet in MiB (incident 11: 16M; Matomo's system check wants 64). */
export const MAX_ALLOWED_PACKET_MIB = 128;
/** Aria's page cache: here it holds temporary tables that outgrew their memory, in MiB. */
export const ARIA_MIB = 32;
/** The server itself, its dictionary, InnoDB's log buffer and Aria's page cache, in MiB. */
const DATABASE_BASE_MIB = 160 + ARIA_MIB;
/** A temporary table of a query grows to this size in memory, then goes to the disk, in MiB. */
export const TEMPORARY_TABLE_MIB = 4;
/** One connection: its thread's stack, sort, join, read and net buffers, and a temporary table, in MiB. */
const CONNECTION_MIB = 6 + TEMPORARY_TABLE_MIB;
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
  const maxConnections = 2 * (workers + ARCHIVERS) + SPARE_CONNECTIONS;
  const fixed = DATABASE_BASE_MIB + maxConnections * CONNECTION_MIB + MAX_ALLOWED_PACKET_MIB;
  const free = Math.min(memoryMib - fixed, Math.floor(memoryMib * 0.75));
  if (free >= MIN_BUFFER_POOL_MIB) return { bufferPoolMib: free, maxConnections };
  return (
    `${maxConnections} connections, one packet of ${MAX_ALLOWED_PACKET_MIB} MiB and the server ` +
    `take ${fixed} MiB, the buffer pool ${MIN_BUFFER_POOL_MIB}: at least ` +
    `${fixed + MIN_BUFFER_POOL_MIB}Mi of memory`
  );
}
