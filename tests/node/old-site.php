<?php
/**
 * What the wizard of the old chart's Matomo left behind: configuration, tables, administrator, one
 * website. Run by the adoption's test in the release's web pod, as www-data; the database's password
 * comes on standard input.
 */
declare(strict_types=1);

$password = trim((string) stream_get_contents(STDIN));
file_put_contents('/var/www/html/config/config.ini.php', <<<INI
; <?php exit; ?> DO NOT REMOVE THIS LINE
[database]
host = "matomo-mariadb"
port = "3306"
username = "mariadb-admin"
password = "$password"
dbname = "matomo"
tables_prefix = "matomo_"
charset = "utf8mb4"

[General]
salt = "0123456789abcdef0123456789abcdef"
trusted_hosts[] = "matomo.local.example.com"
proxy_client_headers[] = "HTTP_X_FORWARDED_FOR"
enable_browser_archiving_triggering = 1

[mail]
host = "smtp.example.com"

INI);
foreach (['PIWIK_DOCUMENT_ROOT', 'PIWIK_INCLUDE_PATH', 'PIWIK_USER_PATH'] as $path) {
    define($path, '/var/www/html');
}
foreach (['PIWIK_ENABLE_DISPATCH', 'PIWIK_ENABLE_SESSION_START', 'PIWIK_ENABLE_ERROR_HANDLER'] as $part) {
    define($part, false);
}
require '/var/www/html/core/bootstrap.php';
(new Piwik\Application\Environment('cli'))->init();
Piwik\Plugin\Manager::getInstance()->loadActivatedPlugins();
Piwik\DbHelper::createTables();
Piwik\DbHelper::createAnonymousUser();
Piwik\DbHelper::recordInstallVersion();
Piwik\Access::doAsSuperUser(static function (): void {
    $updater = new Piwik\Updater();
    $components = $updater->getComponentUpdates();
    if ($components) {
        $updater->updateComponents($components);
    }
});
Piwik\Updater::recordComponentSuccessfullyUpdated('core', Piwik\Version::VERSION);
Piwik\Plugin\Manager::getInstance()->installLoadedPlugins();
Piwik\Config::getInstance()->forceSave();
Piwik\Access::doAsSuperUser(static function (): void {
    Piwik\Plugins\UsersManager\API::getInstance()->addUser('admin', 'wizard-password', 'admin@local.example.com');
    (new Piwik\Plugins\UsersManager\UserUpdater())->setSuperUserAccessWithoutCurrentPassword('admin', true);
    Piwik\Plugins\SitesManager\API::getInstance()->addSite('Old site', ['https://old.example.com']);
});
