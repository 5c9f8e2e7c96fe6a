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

    /** Whether the browser's connection is TLS, as far as the request says. */
    final class ProxyHttp
    {
        public static function isHttps(): bool
        {
            return !empty(Config::getInstance()->General['assume_secure_protocol']) ||
                ($_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '') === 'https' || !empty($_SERVER['HTTPS']);
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
