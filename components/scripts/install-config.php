<?php
/**
 * The part of install.php that writes config.ini.php. The file stays the users': what they saved in
 * the UI is kept, in Matomo's own format and order; what the program owns stands in
 * common.config.ini.php and is taken out here, because a stale key in config.ini.php would win.
 *
 * Written whole and renamed, never in place: the salt in it makes every token valid.
 */
declare(strict_types=1);

use Piwik\Application\Kernel\GlobalSettingsProvider;
use Piwik\Config\IniFileChain;
use Piwik\Container\StaticContainer;

/** Keys that would let anyone tell Matomo an address; Apache decides that (apache.conf). */
const FOREIGN_KEYS = ['proxy_client_headers', 'proxy_ips'];

/** As Matomo writes it; the first line keeps the file's content to itself, should it be served. */
const CONFIG_HEADER = "; <?php exit; ?> DO NOT REMOVE THIS LINE\n" .
    "; file automatically generated or modified by Matomo; you can manually override the default " .
    "values in global.ini.php by redefining them in this file.\n";

function replaceFile(string $path, string $content): void
{
    $new = "$path.new";
    if (file_put_contents($new, $content) !== strlen($content)) {
        throw new InstallError("cannot write $new: is the volume full?");
    }
    chmod($new, 0600);
    $handle = fopen($new, 'r');
    fsync($handle);
    fclose($handle);
    rename($new, $path);
}

function keepGoodConfig(): void
{
    $config = (string) file_get_contents(STATE . '/config/config.ini.php');
    replaceFile(STATE . '/.matomo/config.ini.php', $config);
}

/** Matomo's classes refuse to start without a file; one without a database is not installed. */
function firstConfig(): void
{
    $path = STATE . '/config/config.ini.php';
    if (!is_file($path) || filesize($path) === 0) {
        replaceFile($path, CONFIG_HEADER . "[General]\nsalt = \"" . bin2hex(random_bytes(16)) . "\"\n");
    }
}

/** The charset of a collation; null for one of any. `utf8` is MariaDB's other name for utf8mb3. */
function charsetOf(string $collation): ?string
{
    $charset = strtok($collation, '_');
    return $charset === 'uca1400' ? null : ($charset === 'utf8mb3' ? 'utf8' : $charset);
}

/**
 * How Matomo speaks with the database. A fresh site is told what Matomo's wizard would tell it; one that
 * is there keeps its charset, which its tables have. A collation of another charset fails every
 * connection, so the two go together.
 */
function encoding(array $own, InstalledSite $found): array
{
    // Before 5.2 Matomo knew no collation, and dies of this schema.
    $knows = version_compare(Piwik\Version::VERSION, '5.2.0', '>=');
    $schema = $own || !$knows ? [] : ['schema' => 'Mariadb'];
    $collations = $found->tables ? $found->collations : [$found->defaultCollation];
    $charset = $own['charset'] ?? '';
    $collation = $own['collation'] ?? '';
    if ($collation === '' && count($collations) === 1 && str_starts_with($collations[0], 'utf8')) {
        $of = charsetOf($collations[0]);
        $charset = $charset ?: $of;
        $collation = $knows && str_replace('utf8mb3', 'utf8', $charset) === $of ? $collations[0] : '';
    }
    $of = $collation === '' ? null : charsetOf($collation);
    if ($of !== null && str_replace('utf8mb3', 'utf8', $charset) !== $of) {
        $charset && say("[database] charset is $of again: that of its collation $collation");
        $charset = $of;
    }
    return $schema + array_filter(['charset' => $charset, 'collation' => $collation]);
}

/** `$updating`: an update of the schema comes after this, and this function again after it. */
function writeConfig(array $settings, array $credentials, InstalledSite $found, bool $updating): void
{
    $path = STATE . '/config/config.ini.php';
    $common = SITE . '/config/common.config.ini.php';
    $provider = StaticContainer::get(GlobalSettingsProvider::class);
    $chain = $provider->getIniFileChain();

    $database = $settings['database'];
    $chain->set('database', array_merge($chain->get('database'), [
        'host' => $database['host'],
        'port' => (string) $database['port'],
        'username' => $credentials[0],
        'password' => $credentials[1],
        'dbname' => $database['name'],
        'tables_prefix' => $database['prefix'],
        ...encoding($chain->getFrom($path, 'database') ?? [], $found),
    ]));

    $general = $chain->get('General');
    if (strlen((string) ($general['salt'] ?? '')) < 32) {
        throw new InstallError("$path has no salt, which makes every token valid; restore the state of a backup");
    }
    if (empty($chain->getFrom($path, 'database'))) {
        if ($found->version !== null) {
            say('WARNING: config.ini.php was lost, and its salt with it: tokens that users made are ' .
                'invalid now. Restoring the state of a backup brings them back.');
        }
    }
    $trusted = $chain->getFrom($path, 'General')['trusted_hosts'] ?? [];
    $general['trusted_hosts'] = array_values(array_unique([...$settings['hosts'], ...$trusted]));
    unset($general['installation_in_progress']);
    // Matomo's update to 5.7 looks for them: what a proxy may tell is adopted only where they are.
    foreach ($updating ? [] : FOREIGN_KEYS as $key) {
        if (!empty($general[$key])) {
            say("removed [General] $key from config.ini.php: the web server tells the address now");
        }
        unset($general[$key]);
    }
    $chain->set('General', $general);

    foreach (parse_ini_file($common, true, INI_SCANNER_RAW) as $section => $owned) {
        $current = $chain->get($section);
        foreach (array_keys($owned) as $key) {
            $value = $chain->getFrom($common, $section)[$key];
            if (IniFileChain::compareElements($current[$key] ?? null, $value) !== 0) {
                say("set [$section] $key again: it is the program's");
            }
            $current[$key] = $value;
        }
        $chain->set($section, $current);
    }

    $content = $chain->dumpChanges(CONFIG_HEADER);
    if ($content !== null) {
        replaceFile($path, $content);
    }
    $provider->reload();
}
