<?php
/** The site: API, login page, and the wizard that anyone can claim while nothing is installed. */

use Piwik\Access;
use Piwik\Config;
use Piwik\CronArchive;
use Piwik\Plugins\PrivacyManager\PrivacyManager;
use Piwik\Plugins\UsersManager\Model;

define('PIWIK_DOCUMENT_ROOT', __DIR__);
define('PIWIK_INCLUDE_PATH', __DIR__);
is_file(__DIR__ . '/bootstrap.php') && require_once __DIR__ . '/bootstrap.php';
require __DIR__ . '/core/bootstrap.php';

if (!is_readable(Config::getLocalConfigPath())) {
    $global = parse_ini_file(__DIR__ . '/config/global.ini.php', true);
    $common = @parse_ini_file(__DIR__ . '/config/common.config.ini.php', true) ?: [];
    if (!($common['General']['enable_installer'] ?? $global['General']['enable_installer'])) {
        http_response_code(404);
        exit('Matomo is not set up yet');
    }
    exit('<title>Matomo › Installation</title><h1>Welcome! Let us set up Matomo</h1>');
}
(new Piwik\Application\Environment('index'))->init();
if (!empty(Config::getInstance()->General['force_ssl']) && !Piwik\ProxyHttp::isHttps()) {
    header('Location: https://' . $_SERVER['HTTP_HOST'] . $_SERVER['REQUEST_URI'], true, 302);
    exit;
}
$older = version_compare((string) Piwik\Option::get('version_core'), Piwik\Version::VERSION, '<');
if ($older && !empty(Config::getInstance()->General['enable_auto_update'])) {
    header('Location: index.php?module=CoreUpdater', true, 302);
    exit;
}

/** The super user that a token gives; 401 where it gives none. `token=` is no parameter at all. */
function authenticate(): void
{
    $posted = $_POST['token_auth'] ?? null;
    $user = (new Model())->getUserByTokenAuth($posted ?? $_GET['token_auth'] ?? '', $posted !== null);
    if (!$user) {
        http_response_code(401);
        exit("Error: Unable to authenticate with the provided token. It is either invalid, expired or is required to be sent as a POST parameter.\n");
    }
}

function api(string $method): void
{
    $known = ['API.getMatomoVersion', 'CoreAdminHome.runCronArchiving', 'SitesManager.getAllSitesId', 'SitesManager.getSiteFromId', 'VisitsSummary.get',
        'Actions.get', 'Actions.getPageUrl', 'CoreAdminHome.invalidateArchivedReports', 'Live.getLastVisitsDetails', 'PrivacyManager.deleteDataSubjects'];
    $anonymous = !isset($_REQUEST['token_auth']);
    if (!in_array($method, $known, true) || ($anonymous && $method === 'CoreAdminHome.runCronArchiving')) {
        $name = substr((string) strrchr($method, '.'), 1);
        http_response_code(400);
        echo "Error: The method '$name' does not exist or is not available in the module '" . strtok($method, '.') . "'.\n";
        return;
    }
    authenticate();
    $site = (int) ($_REQUEST['idSite'] ?? 1);
    Access::doAsSuperUser(static function () use ($method, $site): void {
        if ($method === 'CoreAdminHome.runCronArchiving') {
            (new CronArchive())->main();
            return;
        }
        header('Content-Type: application/json');
        echo json_encode(match ($method) {
            'API.getMatomoVersion' => ['value' => Piwik\Version::VERSION],
            'SitesManager.getAllSitesId' => Piwik\Plugins\SitesManager\API::getInstance()->getAllSitesId(),
            'SitesManager.getSiteFromId' => Piwik\Db::fetchAll('SELECT * FROM ' . Piwik\Common::prefixTable('site') . ' WHERE idsite = ?', [$site])[0],
            'VisitsSummary.get' => ['nb_visits' => CronArchive::visits($site)],
            'Actions.get' => ['nb_pageviews' => CronArchive::pageViews($site)],
            'Actions.getPageUrl' => CronArchive::hits($site, $_REQUEST['pageUrl']),
            'CoreAdminHome.invalidateArchivedReports' => CronArchive::invalidate((int) $_REQUEST['idSites']),
            'Live.getLastVisitsDetails' => Piwik\Db::fetchAll('SELECT idvisit AS idVisit FROM ' .
                Piwik\Common::prefixTable('log_visit') . ' WHERE idsite = ? AND idvisitor = ?',
                [$site, hex2bin(substr($_REQUEST['segment'], strlen('visitorId==')))]),
            'PrivacyManager.deleteDataSubjects' => PrivacyManager::deleteDataSubjects($_REQUEST['visits']),
        });
    });
}

/** A session whose cookie no script reads and, where the browser speaks TLS, no plain request carries. */
function openSession(): void
{
    session_name('MATOMO_SESSID');
    session_start(['cookie_secure' => Piwik\ProxyHttp::isHttps(), 'cookie_httponly' => true, 'cookie_samesite' => 'Lax']);
}

/** Takes a login from the form that carries the session's own nonce. */
function login(): void
{
    $nonce = $_SESSION['nonce'] ?? null;
    unset($_SESSION['nonce']);
    $user = (new Model())->getUser($_POST['form_login']);
    $known = $user && password_verify(md5($_POST['form_password']), $user['password']);
    if ($known && $nonce !== null && hash_equals($nonce, $_POST['form_nonce'] ?? '')) {
        session_regenerate_id(true);
        $_SESSION['login'] = $user['login'];
        header('Location: index.php?module=CoreHome&action=index&idSite=1&period=day&date=yesterday', true, 302);
        exit;
    }
}

/** The login form, and after it one page that lists the visits with the pages they saw. */
function page(): void
{
    openSession();
    if (isset($_POST['form_login'])) {
        login();
    }
    $head = '<link rel="icon" href="plugins/CoreHome/images/favicon.png">' .
        '<link rel="stylesheet" href="plugins/CoreHome/plugin.css"></head><body>';
    if (isset($_SESSION['login'])) {
        $pages = Piwik\Db::fetchAll('SELECT idvisit, url FROM ' . Piwik\Common::prefixTable('log_link_visit_action') .
            ' ORDER BY idlink_va DESC LIMIT 20');
        echo "<!DOCTYPE html><html><head><title>Website - Matomo</title>$head<h1>Visits Log</h1><ul>";
        foreach ($pages as ['idvisit' => $visit, 'url' => $url]) {
            echo "<li>$visit: " . htmlspecialchars($url) . '</li>';
        }
        echo '</ul></body></html>';
        return;
    }
    if (!Piwik\Url::isValidHost()) {
        echo "<!DOCTYPE html><html><head><title>Sign in - Matomo</title>$head<p>This is no trusted host.</p></body></html>";
        return;
    }
    $_SESSION['nonce'] = bin2hex(random_bytes(16));
    echo "<!DOCTYPE html><html><head><title>Sign in - Matomo</title>$head" .
        '<form method="post" action="index.php"><input name="form_login" id="login_form_login">' .
        '<input type="password" name="form_password" id="login_form_password">' .
        "<input type=\"hidden\" name=\"form_nonce\" value=\"{$_SESSION['nonce']}\">" .
        '<button id="login_form_submit">Sign in</button></form></body></html>';
}

if (($_REQUEST['module'] ?? '') === 'API') {
    api($_REQUEST['method'] ?? '');
} else {
    page();
}
