<?php
/** From here on a header tells the scheme only when it is named: named where a proxy is configured already. */

use Piwik\Application\Kernel\GlobalSettingsProvider;
use Piwik\Config;
use Piwik\Container\StaticContainer;

$own = StaticContainer::get(GlobalSettingsProvider::class)->getIniFileChain()
    ->getFrom(Config::getLocalConfigPath(), 'General') ?? [];
$proxy = ['proxy_client_headers', 'proxy_host_headers', 'proxy_ips', 'proxy_uri_header', 'proxy_ip_read_last_in_list'];
if (array_intersect_key($own, array_flip($proxy)) && !isset($own['proxy_scheme_headers'])) {
    $headers = ['HTTP_X_FORWARDED_PROTO', 'HTTP_X_FORWARDED_SCHEME', 'HTTP_X_URL_SCHEME'];
    Config::getInstance()->General = ['proxy_scheme_headers' => $headers] + Config::getInstance()->General;
    Config::getInstance()->forceSave();
}
