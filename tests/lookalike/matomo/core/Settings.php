<?php
/** Settings that live in the database, and whether archiving may be triggered by a browser. */

namespace Piwik {
    final class SettingsPiwik
    {
        public static function overwritePiwikUrl(string $url): void
        {
            Option::set('piwikUrl', $url);
        }

        public static function isMatomoInstalled(): bool
        {
            return !empty(Config::getInstance()->database['username']);
        }
    }

    final class Url
    {
        /** Whether a request asks for a host of the site; those of the machine itself always are. */
        public static function isValidHost(): bool
        {
            $host = preg_replace('/:\d+$/', '', strtolower($_SERVER['HTTP_HOST'] ?? ''));
            $trusted = Config::getInstance()->General['trusted_hosts'] ?? [];
            return !$trusted || in_array($host, ['localhost', '127.0.0.1', '::1', '[::1]', ...$trusted], true);
        }
    }

    /** Whether the browser's connection is TLS: as configured, as the server knows, as a header says. */
    final class ProxyHttp
    {
        private const HEADERS = ['HTTP_X_FORWARDED_SCHEME', 'HTTP_X_URL_SCHEME', 'HTTP_X_FORWARDED_PROTO'];

        public static function isHttps(): bool
        {
            $general = Config::getInstance()->General;
            if (!empty($general['assume_secure_protocol']) || ($_SERVER['HTTPS'] ?? '') === 'on') {
                return true;
            }
            // Until 5.7 whoever sends one of the headers is believed, from then on those that are named.
            $headers = version_compare(Version::VERSION, '5.7.0-b1', '<')
                ? self::HEADERS
                : array_intersect(self::HEADERS, $general['proxy_scheme_headers'] ?? []);
            return (bool) array_filter($headers, static fn ($header) => ($_SERVER[$header] ?? '') === 'https');
        }
    }
}

namespace Piwik\ArchiveProcessor {
    final class Rules
    {
        public static function isBrowserTriggerEnabled(): bool
        {
            $option = \Piwik\Option::get('enableBrowserTriggerArchiving');
            return (bool) ($option !== false
                ? $option
                : \Piwik\Config::getInstance()->General['enable_browser_archiving_triggering']);
        }

        public static function setBrowserTriggerArchiving(bool $enabled): void
        {
            \Piwik\Option::set('enableBrowserTriggerArchiving', (int) $enabled);
        }
    }
}
