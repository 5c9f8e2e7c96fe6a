<?php
/** The system check, as far as a deployment has a say in its answers; and the integrity check. */

namespace Piwik;

final class FileIntegrity
{
    /** Files beside the manifest, but for those that the real one lets pass, and config.php's. */
    public static function unexpected(): array
    {
        require_once PIWIK_INCLUDE_PATH . '/config/manifest.inc.php';
        $ignore = ['*.htaccess', 'bootstrap.php', 'config/config.ini.php', 'config/config.php',
            'config/*.config.ini.php', 'config/manifest.inc.php', 'misc/*.mmdb', 'misc/user/*png', 'tmp/*'];
        if (is_file(PIWIK_USER_PATH . '/config/config.php')) {
            $own = require PIWIK_USER_PATH . '/config/config.php';
            $ignore = [...$ignore, ...$own['fileintegrity.ignore'] ?? []];
        }
        $stray = [];
        $tree = new \RecursiveDirectoryIterator(
            PIWIK_DOCUMENT_ROOT,
            \FilesystemIterator::SKIP_DOTS | \FilesystemIterator::FOLLOW_SYMLINKS
        );
        foreach (new \RecursiveIteratorIterator($tree) as $file) {
            $name = substr($file->getPathname(), strlen(PIWIK_DOCUMENT_ROOT) + 1);
            $known = in_array($name, Manifest::$files, true) ||
                array_filter($ignore, static fn ($pattern) => fnmatch($pattern, $name));
            if (!$known && !preg_match('~^plugins/(?!CoreHome|CustomJsTracker)[^/]+/~', $name)) {
                $stray[] = $name;
            }
        }
        return $stray;
    }
}

final class Diagnostics
{
    /** @return array<string, string> what was checked → OK, or WARNING or ERROR with the reason */
    public static function run(): array
    {
        $general = Config::getInstance()->General;
        $stray = FileIntegrity::unexpected();
        $last = (int) Option::get('LastCompletedFullArchiving');
        $packet = (int) Db::fetchOne('SELECT @@max_allowed_packet');
        $isolation = Db::fetchAll("SHOW VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')")[0]['Value'];
        $limit = ini_parse_quantity(ini_get('memory_limit')) / 1048576;
        $judge = static fn (bool $good, string $reason): string => $good ? 'OK' : $reason;
        return [
            'Memory limit' => $judge($limit >= $general['minimum_memory_limit'], 'WARNING memory_limit is low'),
            'Max Packet Size' => $judge($packet >= 64 * 1048576, 'WARNING max_allowed_packet is below 64MB'),
            'Database isolation' => $judge(in_array($isolation, ['REPEATABLE-READ', 'READ-COMMITTED'], true), 'WARNING transaction isolation'),
            'Connection collation' => $judge(
                !Db::knowsCollations() || !empty(Config::getInstance()->database['collation']),
                'WARNING no collation is configured'
            ),
            'Forced SSL Connection' => $judge((bool) $general['force_ssl'], 'WARNING force_ssl is off'),
            'Browser archiving' => $judge(!ArchiveProcessor\Rules::isBrowserTriggerEnabled(), 'WARNING browser archiving is on'),
            'Last Successful Archiving Completion' => $judge(time() - $last < 86400, 'ERROR archiving has not run yet'),
            'Writable JavaScript Tracker ("/matomo.js")' => $judge(is_writable(PIWIK_DOCUMENT_ROOT . '/matomo.js'), 'WARNING matomo.js is not writable'),
            'Directories with write access' => $judge(is_writable(PIWIK_DOCUMENT_ROOT . '/tmp'), 'ERROR tmp is not writable'),
            'File integrity' => $judge(!$stray, 'WARNING File to delete: ' . implode(', ', $stray)),
        ];
    }
}
