<?php
/**
 * A small look-alike of Matomo for tests on machines that have no Matomo: it behaves as
 * shared/matomo.md says of the real one, traps included, in a few classes with the same names and
 * the same calls. Not for use by anybody else: its pages and reports are stubs.
 *
 * Everything starts here, as in the real one: index.php, matomo.php and console define the paths,
 * load bootstrap.php of the document root, and then this file.
 */

namespace Piwik;

defined('PIWIK_USER_PATH') || define('PIWIK_USER_PATH', PIWIK_DOCUMENT_ROOT);

foreach (['Version', 'Config', 'Database', 'Plugins', 'Users', 'Settings', 'Privacy', 'Archive', 'GeoIp2', 'Diagnostics'] as $part) {
    require_once PIWIK_INCLUDE_PATH . "/core/$part.php";
}

/** Helper of the dependency container; only marks what a definition adds to, or is as it stands. */
final class DI
{
    public static function add(array $values): array
    {
        return $values;
    }
    public static function value(mixed $value): mixed
    {
        return $value;
    }
}
