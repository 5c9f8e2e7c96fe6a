<?php
/** The tracker. Without parameters it answers at once, with no database and for any host. */

use Piwik\Common;
use Piwik\Config;
use Piwik\Db;
use Piwik\Plugins\PrivacyManager\Config as PrivacyConfig;
use Piwik\Plugins\PrivacyManager\PrivacyManager;

if (!isset($_REQUEST['idsite'], $_REQUEST['rec'])) {
    echo "<h1>Matomo</h1>This resource is part of Matomo. Keep full control of your data.\n";
    exit;
}
define('PIWIK_DOCUMENT_ROOT', __DIR__);
define('PIWIK_INCLUDE_PATH', __DIR__);
is_file(__DIR__ . '/bootstrap.php') && require_once __DIR__ . '/bootstrap.php';
require __DIR__ . '/core/bootstrap.php';

/** As in the real one: whoever sends the header is believed; a setting that is no array is ignored. */
function visitorAddress(): string
{
    $general = Config::getInstance()->General;
    $headers = $general['proxy_client_headers'] ?? [];
    foreach (is_array($headers) ? $headers : [] as $header) {
        $listed = array_map('trim', explode(',', $_SERVER[$header] ?? ''));
        $listed = array_diff(array_filter($listed), $general['proxy_ips'] ?? []);
        if ($listed) {
            return end($listed);
        }
    }
    return $_SERVER['REMOTE_ADDR'];
}

try {
    (new Piwik\Application\Environment('tracker'))->init();
    $address = PrivacyManager::anonymized(inet_pton(visitorAddress()));
    $site = (int) $_REQUEST['idsite'];
    if (!Db::fetchOne('SELECT COUNT(*) FROM ' . Common::prefixTable('site') . ' WHERE idsite = ?', [$site])) {
        http_response_code(400);
        exit;
    }
    if ((new PrivacyConfig())->doNotTrackEnabled && ($_SERVER['HTTP_DNT'] ?? '') === '1') {
        header('Tk: N');
        exit;
    }
    $claimed = $_REQUEST['cid'] ?? ((new PrivacyConfig())->forceCookielessTracking ? '' : $_REQUEST['_id'] ?? '');
    $visitor = hex2bin($claimed) ?: substr(sha1($address . ($_SERVER['HTTP_USER_AGENT'] ?? ''), true), 0, 8);
    $visits = Common::prefixTable('log_visit');
    $visit = Db::fetchOne("SELECT idvisit FROM $visits WHERE idsite = ? AND idvisitor = ?
        AND visit_last_action_time > UTC_TIMESTAMP() - INTERVAL 30 MINUTE", [$site, $visitor]);
    if (!$visit) {
        Db::query("INSERT INTO $visits (idsite, idvisitor, visit_last_action_time, location_ip)
            VALUES (?, ?, UTC_TIMESTAMP(), ?)", [$site, $visitor, $address]);
        $visit = Db::get()->lastInsertId();
    }
    Db::query('INSERT INTO ' . Common::prefixTable('log_link_visit_action') .
        ' (idsite, idvisit, url, server_time) VALUES (?, ?, ?, UTC_TIMESTAMP())', [$site, $visit, $_REQUEST['url'] ?? '']);
} catch (Throwable $error) {
    http_response_code(500);
    exit('Error: ' . ($error instanceof PDOException ? 'Error while connecting to the Matomo database' : $error->getMessage()));
}
header('Content-Type: image/gif');
header('Cache-Control: no-store');
echo base64_decode('R0lGODlhAQABAIAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==');
