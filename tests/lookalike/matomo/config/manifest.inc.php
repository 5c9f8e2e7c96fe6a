<?php
/** Every file of the look-alike; a unit test keeps it whole. */

namespace Piwik;

final class Manifest
{
    public static array $files = [
        "config/global.ini.php",
        "console",
        "core/Archive.php",
        "core/Config.php",
        "core/Database.php",
        "core/Diagnostics.php",
        "core/GeoIp2.php",
        "core/Plugins.php",
        "core/Privacy.php",
        "core/Settings.php",
        "core/Updates/5.0.0.php",
        "core/Updates/5.7.0-b3.php",
        "core/Users.php",
        "core/Version.php",
        "core/bootstrap.php",
        "index.php",
        "js/piwik.js",
        "lang/en.json",
        "matomo.js",
        "matomo.php",
        "misc/cron/archive.php",
        "misc/user/index.html",
        "plugins/CoreHome/images/favicon.png",
        "plugins/CoreHome/plugin.css",
        "plugins/CustomJsTracker/plugin.json",
    ];
}
