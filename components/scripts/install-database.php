<?php
/**
 * The part of install.php that looks at the database before Matomo does: waits for it, makes sure
 * that one installer runs at a time, and tells what is there.
 */
declare(strict_types=1);

/** What a database holds: no version and no tables means empty, tables alone an unfinished install. */
final class InstalledSite
{
    public function __construct(
        public readonly ?string $version,
        public readonly int $tables,
        public readonly bool $visits,
        public readonly bool $restoring,
        /** Those of its tables, each once. */
        public readonly array $collations,
        /** The server's own for utf8mb4. */
        public readonly string $defaultCollation,
    ) {
    }
}

/** MariaDB's codes for a refused password: waiting would not help. */
const REFUSED = [1044, 1045, 1049, 1698];

/** Stands once the container was told to end: what only waits ends then, a step that runs does not. */
const STOPPING = '/tmp/stopping';

function stopIfTold(): void
{
    if (is_file(STOPPING)) {
        throw new InstallError('the pod is to end, and nothing was begun');
    }
}

/** Connects as soon as the server answers; polls, because nothing tells when it will. */
function connect(array $database, array $credentials, int $waitSeconds): PDO
{
    [$user, $password] = $credentials;
    $where = "{$database['host']}:{$database['port']}";
    $dsn = "mysql:host={$database['host']};port={$database['port']};dbname={$database['name']};charset=utf8mb4";
    $deadline = microtime(true) + $waitSeconds;
    for ($attempt = 0;; $attempt++) {
        stopIfTold();
        try {
            knock($where, min(0.1 * 1.2 ** $attempt, 5));
            return new PDO($dsn, $user, $password, [
                PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
                PDO::ATTR_TIMEOUT => 5,
            ]);
        } catch (PDOException $error) {
            if (in_array($error->getCode(), REFUSED, true)) {
                throw new InstallError(
                    "the database at $where refuses user $user or the database {$database['name']} " .
                    "(error {$error->getCode()}): Secret and database disagree. `pulumi up --refresh " .
                    '--run-program` brings back a Secret that was edited; a first start of the database that was ' .
                    'cut short is told in the log of its pod; see docs/operations.md.'
                );
            }
            if (microtime(true) > $deadline) {
                throw new InstallError(
                    "no database at $where for $waitSeconds s: {$error->getMessage()}. " .
                    'Look at the pod of StatefulSet matomo-mariadb.'
                );
            }
            if ($attempt === 0) {
                say("waiting for the database at $where");
            }
            usleep(100_000);
        }
    }
}

/**
 * Opens the port and closes it. What a new pod sends first is dropped until its node has the network
 * policies in place, and the kernel sends it again after a whole second only: trying anew is sooner.
 */
function knock(string $where, float $seconds): void
{
    $stream = @stream_socket_client("tcp://$where", $code, $message, $seconds);
    if ($stream === false) {
        throw new PDOException("$message ($code)");
    }
    fclose($stream);
}

/** One installer at a time; the server releases the lock when this connection ends, however. */
function lock(PDO $database, int $waitSeconds): void
{
    // The lock must live as long as this process: the connection's own idle limit is lifted.
    $database->exec('SET SESSION wait_timeout = 86400');
    $deadline = microtime(true) + $waitSeconds;
    while ((int) $database->query("SELECT GET_LOCK('matomo_install', 1)")->fetchColumn() !== 1) {
        stopIfTold();
        if (microtime(true) > $deadline) {
            throw new InstallError("another pod has been installing this site for $waitSeconds s");
        }
    }
}

function unlock(PDO $database): void
{
    $database->query("DO RELEASE_LOCK('matomo_install')");
}

function installedVersion(PDO $database, string $prefix): InstalledSite
{
    $like = str_replace(['\\', '_', '%'], ['\\\\', '\\_', '\\%'], $prefix) . '%';
    $query = $database->prepare('SELECT table_name FROM information_schema.tables
        WHERE table_schema = DATABASE() AND table_name LIKE ?');
    $query->execute([$like]);
    $tables = $query->fetchAll(PDO::FETCH_COLUMN);
    $version = null;
    if (in_array("{$prefix}option", $tables, true)) {
        $row = $database->query("SELECT option_value FROM `{$prefix}option`
            WHERE option_name = 'version_core'")->fetchColumn();
        // An empty one says as little as none: it would pass for older than everything.
        $version = trim((string) $row) ?: null;
    }
    $visits = in_array("{$prefix}log_visit", $tables, true) &&
        (bool) $database->query("SELECT EXISTS (SELECT 1 FROM `{$prefix}log_visit`)")->fetchColumn();
    // restore.sh makes this table before it touches anything and drops it last.
    $restoring = (bool) $database->query("SELECT COUNT(*) FROM information_schema.tables
        WHERE table_schema = DATABASE() AND table_name = 'fleet_restore_in_progress'")->fetchColumn();
    $query = $database->prepare('SELECT DISTINCT table_collation FROM information_schema.tables
        WHERE table_schema = DATABASE() AND table_name LIKE ? AND table_collation IS NOT NULL');
    $query->execute([$like]);
    $collations = $query->fetchAll(PDO::FETCH_COLUMN);
    $charset = $database->query("SHOW CHARACTER SET WHERE Charset = 'utf8mb4'")->fetch(PDO::FETCH_ASSOC);
    return new InstalledSite(
        $version,
        count($tables),
        $visits,
        $restoring,
        $collations,
        $charset['Default collation'],
    );
}

/** Stops at a database that must not be touched by this code. */
function refuseForeign(InstalledSite $found, string $code): void
{
    if ($found->restoring) {
        throw new InstallError('a restore into this database has not finished; run it again to its end');
    }
    if ($found->version === null && $found->visits) {
        throw new InstallError(
            'the database has visits but does not say by which Matomo version. It is not installed ' .
            'over: restore a proven backup, or put the row version_core back into the option table.'
        );
    }
    if ($found->version !== null && version_compare($found->version, $code, '>')) {
        throw new InstallError(
            "the database was written by Matomo {$found->version}, the image holds $code: a downgrade " .
            "that Matomo cannot do. Set the image to {$found->version} or newer, or restore a backup of $code."
        );
    }
}
