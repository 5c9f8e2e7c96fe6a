<?php
/**
 * Additions to Matomo's dependency container; layout.sh puts this at config/config.php, which
 * Matomo loads after its own definitions. Runs in every process of the site, as www-data (33).
 *
 * GeoIP databases are state (Matomo downloads and replaces them), and the third-party plugins that
 * layout.sh links into the site are no stray files for the integrity check.
 */

$state = dirname(readlink(dirname(__DIR__) . '/added-plugins'));

return [
    'path.geoip2' => $state . '/misc/',
    'fileintegrity.ignore' => Piwik\DI::add(['added-plugins/*', 'js/container_*.js']),
];
