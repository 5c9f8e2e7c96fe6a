<?php
/**
 * Matomo's own hook for where its state is: bootstrap.php in the document root is loaded before
 * anything else by the site, the tracker and the console, and is exempt from the integrity check.
 *
 * Put there by layout.sh; runs as www-data (33). /state is found by the links that layout.sh made.
 * config.ini.php is written at its real place (the link beside it is for whoever looks for it), and
 * plugins that a person installs in the Marketplace land on the volume.
 */

$GLOBALS['CONFIG_INI_PATH_RESOLVER'] = static function () {
    return dirname(readlink(__DIR__ . '/added-plugins')) . '/config/config.ini.php';
};
$GLOBALS['MATOMO_PLUGIN_DIRS'][] = [
    'pluginsPathAbsolute' => __DIR__ . '/added-plugins/',
    'webrootDirRelativeToMatomo' => 'added-plugins',
];
$GLOBALS['MATOMO_PLUGIN_COPY_DIR'] = __DIR__ . '/added-plugins/';
