<?php
/**
 * Matomo's own hook for where its state is: bootstrap.php in the document root is loaded before
 * anything else by the site, the tracker and the console, and is exempt from the integrity check.
 *
 * Put there by layout.sh; runs as www-data (33). /state is found by the links that layout.sh made.
 * config.ini.php is written at its real place (the link beside it is for whoever looks for it), and
 * plugins that a person installs in the Marketplace land on the volume.
 */

// kubelet takes a redirect for well, and it is none: a site that sends each page to itself would pass. So
// to a probe (apache.conf says who is one) anything between 200 and an error is an error.
if (isset($_SERVER['probe'])) {
    header_register_callback(static function (): void {
        $status = http_response_code();
        if ($status > 200 && $status < 400) {
            error_log("a probe was to be answered with HTTP $status, which is no sign of a site that serves");
            http_response_code(503);
        }
    });
}

$GLOBALS['CONFIG_INI_PATH_RESOLVER'] = static function () {
    return dirname(readlink(__DIR__ . '/added-plugins')) . '/config/config.ini.php';
};
$GLOBALS['MATOMO_PLUGIN_DIRS'][] = [
    'pluginsPathAbsolute' => __DIR__ . '/added-plugins/',
    'webrootDirRelativeToMatomo' => 'added-plugins',
];
$GLOBALS['MATOMO_PLUGIN_COPY_DIR'] = __DIR__ . '/added-plugins/';

// What the archive job asks for, scheduled tasks among it, has an archiver's memory (apache.conf).
if (isset($_SERVER['ARCHIVE_MEMORY'])) {
    ini_set('memory_limit', $_SERVER['ARCHIVE_MEMORY']);
}
