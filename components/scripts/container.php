<?php
/**
 * Additions to Matomo's dependency container; layout.sh puts this at config/config.php, which
 * Matomo loads after its own definitions. Runs in every process of the site, as www-data (33).
 *
 * GeoIP databases are state (Matomo downloads and replaces them), and the third-party plugins that
 * layout.sh links into the site are no stray files for the integrity check. An archive run has as many
 * processes at once as the container has memory for.
 */

$state = dirname(readlink(dirname(__DIR__) . '/added-plugins'));

return [
    'observers.global' => Piwik\DI::add([
        ['CronArchive.init.start', Piwik\DI::value(static function ($run) {
            // Read here: a tracker's request loads this file too, and archives nothing.
            $settings = json_decode((string) file_get_contents('/opt/matomo/config/settings.json'), true);
            $run->concurrentRequestsPerWebsite = $settings['archivers'];
        })],
    ]),
    'path.geoip2' => $state . '/misc/',
    'fileintegrity.ignore' => Piwik\DI::add(['added-plugins/*', 'js/container_*.js']),
];
