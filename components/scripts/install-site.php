<?php
/**
 * The part of install.php that works through Matomo's own classes: schema, administrator, archive
 * token, first website. The order is the one that Matomo needs; each function does nothing when its
 * work is there already.
 */
declare(strict_types=1);

use Piwik\Access;
use Piwik\ArchiveProcessor\Rules;
use Piwik\Common;
use Piwik\Config;
use Piwik\Container\StaticContainer;
use Piwik\Date;
use Piwik\Db;
use Piwik\DbHelper;
use Piwik\Option;
use Piwik\Plugin\Manager;
use Piwik\Plugins\CustomJsTracker\TrackerUpdater;
use Piwik\Plugins\Installation\ServerFilesGenerator;
use Piwik\Plugins\SitesManager\API as Sites;
use Piwik\Plugins\UsersManager\API as Users;
use Piwik\Plugins\UsersManager\Model as UsersModel;
use Piwik\Plugins\UsersManager\UserUpdater;
use Piwik\SettingsPiwik;
use Piwik\Updater;

/** How the archive token is called in the administrator's list of tokens. */
const ARCHIVE_TOKEN = 'Archive job of the cluster';
/** Where Matomo's own installer has the GeoIP database from, by the year and the month. */
const DB_IP_LITE = 'https://download.db-ip.com/free/dbip-city-lite-%s.mmdb.gz';

/** Tables, anonymous user and versions. A fresh database, or one that an installer left half made. */
function createSchema(InstalledSite $found): void
{
    if ($found->tables === 0 && !empty(Config::getInstance()->PluginsInstalled['PluginsInstalled'])) {
        // A configuration that outlived its database counts plugins whose tables are gone with it:
        // they would never be made again, and every visit would be answered with an error.
        Config::getInstance()->PluginsInstalled = ['PluginsInstalled' => []];
        Config::getInstance()->forceSave();
    }
    if ($found->version === null) {
        say($found->tables === 0 ? 'making the tables' : 'finishing an install that was cut short');
        DbHelper::createTables();
        $users = new UsersModel();
        if (!$users->getUser('anonymous') || !tokenKnown($users, 'anonymous')) {
            DbHelper::createAnonymousUser();
        }
        DbHelper::recordInstallVersion();
    }
    finishUpdates();
    if ($found->version === null) {
        Updater::recordComponentSuccessfullyUpdated('core', Piwik\Version::VERSION);
    }
    // Before anything else: without it the first addSite dies on a missing table. It also makes the
    // tables of a third-party plugin that was put on the volume.
    $before = Config::getInstance()->PluginsInstalled;
    Manager::getInstance()->installLoadedPlugins();
    if ($before !== Config::getInstance()->PluginsInstalled) {
        Config::getInstance()->forceSave();
    }
}

/**
 * Columns and plugins' own tables. Matomo notes its version before it makes them: an install, or an
 * update, that is killed in between looks whole, and every visit would be answered with an error.
 */
function finishUpdates(): void
{
    Access::doAsSuperUser(static function (): void {
        $updater = new Updater();
        $components = $updater->getComponentUpdates();
        if (!$components) {
            return;
        }
        ['coreError' => $failed, 'errors' => $errors] = $updater->updateComponents($components);
        $words = implode('; ', $errors);
        if ($failed) {
            throw new InstallError("the schema cannot be finished: $words");
        }
        // Matomo has deactivated the plugin whose update it was.
        $errors && say("an update failed: $words");
    });
}

/** What the program owns and Matomo keeps in its database, where config.ini.php has no say. */
function ownSettings(array $settings): void
{
    $url = ($settings['forceSsl'] ? 'https://' : 'http://') . $settings['hosts'][0] . '/';
    if (Option::get('piwikUrl') !== $url) {
        SettingsPiwik::overwritePiwikUrl($url);
    }
    if (Rules::isBrowserTriggerEnabled()) {
        Rules::setBrowserTriggerArchiving(false);
    }
    geoDatabase((bool) $settings['geoip']);
}

/**
 * What Matomo's installer asks of its GeoIP task: a database from DB-IP each month, and until there is
 * one, each hour. Another source that somebody chose stays. Without egress the task would wait, inside
 * the archive run, for a connection that never comes.
 */
function geoDatabase(bool $isFetched): void
{
    $database = glob(STATE . '/misc/*.mmdb');
    if (!$isFetched) {
        Option::delete('geoip2.autosetup');
    } else {
        if (!Option::get('geoip2.loc_db_url')) {
            // The task puts each month's in place of this one.
            Option::set('geoip2.loc_db_url', sprintf(DB_IP_LITE, gmdate('Y-m')));
            Option::set('geoip2.updater_period', 'month');
        }
        $database || Option::set('geoip2.autosetup', '1');
    }
    // A database that was put there by hand, or came back while its download's note did not.
    $provider = 'usercountry.location_provider';
    if ($database && in_array(Option::get($provider), [false, 'default'], true)) {
        Option::set($provider, 'geoip2php');
    }
}

/**
 * The administrator's login. On a site that has a super user already nobody is added or changed: a
 * login that somebody took the rights from does not get them back.
 */
function administrator(array $settings, InstalledSite $found): string
{
    $login = secret('matomo/matomo-username');
    $users = new UsersModel();
    $user = $users->getUser($login);
    if ($user && (int) $user['superuser_access'] === 1) {
        return $login;
    }
    $others = array_column($users->getUsersHavingSuperUserAccess(), 'login');
    if ($others) {
        say("the site has super users already ($others[0]); $login is not made one");
        return $others[0];
    }
    Access::doAsSuperUser(static function () use ($login, $user): void {
        if (!$user) {
            $password = secret('matomo/matomo-password');
            Users::getInstance()->addUser($login, $password, secret('matomo/matomo-email'));
            say("made the administrator $login");
        }
        (new UserUpdater())->setSuperUserAccessWithoutCurrentPassword($login, true);
    });
    return $login;
}

/** Whether a token is stored; Matomo's own look-up from the CLI does not see a secure-only one. */
function tokenKnown(UsersModel $users, string $token): bool
{
    $table = Common::prefixTable('user_token_auth');
    return (bool) Db::fetchOne("SELECT COUNT(*) FROM $table WHERE password = ?", [
        $users->hashTokenAuth($token),
    ]);
}

/** Registers the archive job's token, valid in a POST body alone, and drops those it replaces. */
function archiveToken(string $login): void
{
    $token = secret('matomo/archive-token');
    if (!preg_match('/^[0-9a-f]{32}$/', $token)) {
        throw new InstallError('archive-token of Secret matomo is not 32 hex characters');
    }
    $users = new UsersModel();
    $table = Common::prefixTable('user_token_auth');
    $owner = Db::fetchOne("SELECT login FROM $table WHERE password = ?", [$users->hashTokenAuth($token)]);
    if ($owner !== $login) {
        Db::query("DELETE FROM $table WHERE password = ?", [$users->hashTokenAuth($token)]);
        $users->addTokenAuth($login, $token, ARCHIVE_TOKEN, Date::now()->getDatetime(), null, false, true);
        say("registered the archive token for $login");
    }
    Db::query("DELETE FROM $table WHERE description = ? AND password <> ?", [
        ARCHIVE_TOKEN,
        $users->hashTokenAuth($token),
    ]);
}

function firstWebsite(array $website): void
{
    Access::doAsSuperUser(static function () use ($website): void {
        if (Sites::getInstance()->getAllSitesId()) {
            return;
        }
        $id = Sites::getInstance()->addSite(
            siteName: $website['name'],
            urls: [$website['url']],
            timezone: $website['timezone']
        );
        say("made the website {$website['name']} (id $id)");
    });
}

/** What Matomo writes beside its code, and the fresh layout therefore lacks. */
function generatedFiles(): void
{
    ServerFilesGenerator::createFilesForSecurity();
    if (Manager::getInstance()->isPluginActivated('CustomJsTracker')) {
        StaticContainer::get(TrackerUpdater::class)->update();
    }
    $table = Common::prefixTable('tagmanager_container_release');
    if (Manager::getInstance()->isPluginActivated('TagManager') && DbHelper::tableExists($table)) {
        if (Db::fetchOne("SELECT COUNT(*) FROM $table WHERE status = 'active'")) {
            console('tagmanager:regenerate-released-containers');
        }
    }
}
