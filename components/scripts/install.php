<?php
/**
 * Installs Matomo without its wizard, brings the schema to the code's version, and sets again what
 * the program owns (decisions 1, 3; incidents 8, 9, 12, 20). Each step looks before it acts: killed
 * anywhere and run again, it ends in the same site.
 *
 * Run by:  container `web`, after layout.sh and before web-start.sh, as www-data (33):
 *          php /opt/matomo/scripts/install.php
 * Volumes: /var/www/html (laid out), /state, /tmp, /opt/matomo/config/settings.json, Secrets at
 *          /run/secrets/matomo/{matomo-username,matomo-password,matomo-email,archive-token} and
 *          /run/secrets/mariadb/{mariadb-username,mariadb-password}
 * Env:     none. Needs the database; waits for it, `waitSeconds` at most.
 * Exit:    0 done; 1 with one line that says what is wrong and what to do.
 */
declare(strict_types=1);

require __DIR__ . '/install-config.php';
require __DIR__ . '/install-database.php';
require __DIR__ . '/install-plugins.php';
require __DIR__ . '/install-privacy.php';
require __DIR__ . '/install-site.php';

const SITE = '/var/www/html';
const STATE = '/state';

function say(string $message): void
{
    fwrite(STDOUT, "install: $message\n");
}

/** What a person has to do something about: told in one line, without a stack trace. */
final class InstallError extends RuntimeException
{
}

function secret(string $name): string
{
    $value = rtrim((string) @file_get_contents("/run/secrets/$name"), "\r\n");
    if ($value === '') {
        throw new InstallError("the Secret file /run/secrets/$name is missing or empty");
    }
    return $value;
}

/** Runs Matomo's console; its output goes to the pod's log. Returns the exit status. */
function console(string ...$arguments): int
{
    $command = [PHP_BINARY, SITE . '/console', '--no-ansi', '--no-interaction', ...$arguments];
    return proc_close(proc_open($command, [STDIN, STDOUT, STDERR], $pipes));
}

/** Brings the schema of an older site up to the code; what is needed to go back is kept. */
function update(string $from, string $to): void
{
    $kept = STATE . "/.matomo/before-$to";
    is_dir($kept) || mkdir($kept, 0700, true);
    if (!is_file("$kept/config.ini.php")) {
        replaceFile("$kept/config.ini.php", (string) file_get_contents(STATE . '/config/config.ini.php'));
    }
    say("Matomo $from becomes $to");
    $status = console('core:update', '--yes');
    if ($status !== 0) {
        throw new InstallError(
            "core:update from $from to $to failed with status $status (its words are above). The old " .
            "config.ini.php is kept in $kept. Go back by setting the image to $from and, if the schema " .
            'was changed already, restoring the last proven backup; or fix the cause, and it goes on.'
        );
    }
}

function main(array $arguments): void
{
    $settings = json_decode(
        (string) file_get_contents('/opt/matomo/config/settings.json'),
        true,
        32,
        JSON_THROW_ON_ERROR
    );
    define('PIWIK_DOCUMENT_ROOT', SITE);
    define('PIWIK_INCLUDE_PATH', SITE);
    define('PIWIK_USER_PATH', SITE);
    define('PIWIK_ENABLE_DISPATCH', false);
    define('PIWIK_ENABLE_SESSION_START', false);
    define('PIWIK_ENABLE_ERROR_HANDLER', false);
    require SITE . '/bootstrap.php';
    require SITE . '/core/bootstrap.php';
    $code = Piwik\Version::VERSION;

    $credentials = [secret('mariadb/mariadb-username'), secret('mariadb/mariadb-password')];
    $database = connect($settings['database'], $credentials, $settings['waitSeconds']);
    lock($database, $settings['waitSeconds']);
    $found = installedVersion($database, $settings['database']['prefix']);
    refuseForeign($found, $code);

    firstConfig();
    // Before the first class of Matomo is made: it reads the activated plugins' code.
    switchOff($settings['plugins']['disabled']);
    fetchPlugins($settings['plugins']['install']);
    (new Piwik\Application\Environment('cli'))->init();
    $updating = $found->version !== null && version_compare($found->version, $code, '<');
    writeConfig($settings, $credentials, $found, $updating);
    if ($updating) {
        if (in_array('updated', $arguments, true)) {
            throw new InstallError("core:update ended well, and the database is still {$found->version}");
        }
        update($found->version, $code);
        // The update changed what this process has read; a new one goes on from the top.
        unlock($database);
        exit(proc_close(proc_open([PHP_BINARY, __FILE__, 'updated'], [STDIN, STDOUT, STDERR], $pipes)));
    }
    Piwik\Plugin\Manager::getInstance()->loadActivatedPlugins();
    createSchema($found);
    ownSettings($settings);
    ownPrivacy($settings['privacy']);
    activatePlugins($settings['plugins']['install']);
    $login = administrator($settings, $found);
    archiveToken($login);
    firstWebsite($settings['website']);
    generatedFiles();

    keepGoodConfig();
    replaceFile(STATE . '/.matomo/version', $code . "\n");
    say("Matomo $code is ready");
}

try {
    main(array_slice($argv, 1));
} catch (InstallError $error) {
    fwrite(STDERR, "install: ERROR: {$error->getMessage()}\n");
    exit(1);
} catch (Throwable $error) {
    // Without arguments: they may hold a password (zend.exception_ignore_args).
    $place = basename($error->getFile()) . ':' . $error->getLine();
    fwrite(STDERR, "install: ERROR: {$error->getMessage()} (at $place)\n");
    exit(1);
}
