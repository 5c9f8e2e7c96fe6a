<?php
/**
 * Streams the state of the site as a tar: config.ini.php, misc/user, third-party plugins. It is how
 * a backup gets them without mounting the web pod's ReadWriteOnce volume (decision 4, incident 2).
 *
 * Run by:  Apache in the web pod as www-data (33), at port 8081 alone, which only backup pods reach.
 * Request: GET / with `Authorization: Bearer TOKEN`.
 * Volumes: /state (read), /tmp, Secret at /run/secrets/backup/state-token
 *
 * The first member is SHA256SUMS with every file that follows. An HTTP response that broke off
 * cannot be told from a whole one by its status, but by that list it can. GeoIP databases
 * (misc/*.mmdb) are left out: Matomo downloads them again.
 */
declare(strict_types=1);

const STATE = '/state';
const TOKEN_FILE = '/run/secrets/backup/state-token';

function refuse(int $status, string $message): never
{
    http_response_code($status);
    header('Content-Type: text/plain');
    exit("$message\n");
}

/** Relative paths of all files and links below the given entries of /state, sorted. */
function members(array $entries): array
{
    $found = [];
    foreach ($entries as $entry) {
        if (!is_dir(STATE . "/$entry")) {
            continue;
        }
        $tree = new RecursiveDirectoryIterator(STATE . "/$entry", FilesystemIterator::SKIP_DOTS);
        foreach (new RecursiveIteratorIterator($tree) as $file) {
            $found[] = substr($file->getPathname(), strlen(STATE) + 1);
        }
    }
    sort($found);
    return $found;
}

if ($_SERVER['REQUEST_METHOD'] !== 'GET') {
    refuse(405, 'only GET is allowed');
}
$token = trim((string) @file_get_contents(TOKEN_FILE));
$given = getallheaders()['Authorization'] ?? '';
if (strlen($token) < 32) {
    refuse(503, 'the state token of the Secret is missing or shorter than 32 characters');
}
if (!hash_equals("Bearer $token", $given)) {
    refuse(401, 'a valid Authorization: Bearer token is needed');
}
if (!is_file(STATE . '/config/config.ini.php')) {
    refuse(503, 'there is no config.ini.php: the site is not installed yet');
}

set_time_limit(0);
$work = '/tmp/state-export.' . bin2hex(random_bytes(8));
mkdir("$work/config", 0700, true);
register_shutdown_function(static function () use ($work): void {
    array_map('unlink', glob("$work/config/*"));
    @unlink("$work/SHA256SUMS");
    @unlink("$work/members");
    @unlink("$work/words");
    @rmdir("$work/config");
    @rmdir($work);
});
// A copy, so that what is hashed is what is sent, even while somebody saves a setting.
copy(STATE . '/config/config.ini.php', "$work/config/config.ini.php");

$members = members(['misc/user', 'plugins']);
$sums = hash_file('sha256', "$work/config/config.ini.php") . "  config/config.ini.php\n";
foreach ($members as $member) {
    if (is_file(STATE . "/$member") && !is_link(STATE . "/$member")) {
        // sha256sum escapes a line whose name has a backslash or a newline; no plugin has one.
        if (strpbrk($member, "\\\n") !== false) {
            refuse(500, 'a file name with a backslash or newline cannot be backed up: ' . json_encode($member));
        }
        $sums .= hash_file('sha256', STATE . "/$member") . "  $member\n";
    }
}
file_put_contents("$work/SHA256SUMS", $sums);
file_put_contents("$work/members", implode("\0", $members));

header('Content-Type: application/x-tar');
while (ob_get_level() > 0) {
    ob_end_clean();
}
$command = [
    'tar', '--create', '--file=-', '--no-recursion', '--owner=33', '--group=33', '--numeric-owner',
    "--directory=$work", 'SHA256SUMS', 'config/config.ini.php',
    '--directory=' . STATE, '--null', '--verbatim-files-from', "--files-from=$work/members",
];
// Its words into a file: nobody reads a second pipe before the first one's end, and a full one would hold it.
$tar = proc_open($command, [1 => ['pipe', 'w'], 2 => ['file', "$work/words", 'w']], $pipes);
fpassthru($pipes[1]);
$status = proc_close($tar);
if ($status !== 0) {
    $words = file_get_contents("$work/words", length: 2000);
    error_log("state-export: tar ended with $status, the receiver will see it by its list: $words");
}
