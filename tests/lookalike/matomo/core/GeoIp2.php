<?php
/** The task that fetches the GeoIP database, from the address that an option names. */

namespace Piwik\Plugins\GeoIp2;

use Piwik\Config;
use Piwik\Option;

final class GeoIP2AutoUpdater
{
    /** Without an address nothing is fetched, and what is made of the database is switched on all the same. */
    public function update(): void
    {
        $url = (string) Option::get('geoip2.loc_db_url');
        if ($url !== '') {
            $this->fetch((string) preg_replace('/-\d{4}-\d{2}\./', '-' . gmdate('Y-m') . '.', $url));
        }
        if (Option::get('geoip2.autosetup')) {
            Option::delete('geoip2.autosetup');
            if (!glob($this->folder() . '*.mmdb')) {
                throw new \Exception("Invalid provider ID 'geoip2php'. The provider either does not exist or is not available");
            }
            Option::set('usercountry.location_provider', 'geoip2php');
        }
    }

    private function fetch(string $url): void
    {
        $request = curl_init($url);
        curl_setopt_array($request, [CURLOPT_RETURNTRANSFER => true, CURLOPT_FAILONERROR => true]);
        $trusted = Config::getInstance()->General['custom_cacert_pem'] ?? '';
        $trusted === '' || curl_setopt($request, CURLOPT_CAINFO, $trusted);
        $database = gzdecode((string) curl_exec($request));
        if ($database === false) {
            throw new \Exception("GeoIP2AutoUpdater: failed to download '$url': " . curl_error($request));
        }
        file_put_contents($this->folder() . 'DBIP-City.mmdb', $database);
    }

    private function folder(): string
    {
        return (require PIWIK_USER_PATH . '/config/config.php')['path.geoip2'];
    }
}
