<?php
/** Configuration in three layers, and the environment that refuses to start without the last one. */

namespace Piwik\Config {
    final class IniFileChain
    {
        private array $files = [];
        private array $merged = [];

        public function __construct(private array $paths, private string $userFile)
        {
            $this->reload();
        }

        public function reload(): void
        {
            $this->files = [];
            $this->merged = [];
            foreach ([...$this->paths, $this->userFile] as $path) {
                $ini = is_readable($path) ? parse_ini_file($path, true, INI_SCANNER_RAW) : [];
                array_walk_recursive($ini, static function (&$value): void {
                    $value = html_entity_decode((string) $value, ENT_COMPAT);
                });
                $this->files[$path] = $ini;
                foreach ($ini as $section => $values) {
                    $this->merged[$section] = array_merge($this->merged[$section] ?? [], $values);
                }
            }
        }

        public function &get(string $section): array
        {
            $this->merged[$section] ??= [];
            return $this->merged[$section];
        }

        public function getFrom(string $file, string $section): ?array
        {
            return $this->files[$file][$section] ?? null;
        }

        public function set(string $section, array $values): void
        {
            $this->merged[$section] = $values;
        }

        public static function compareElements(mixed $one, mixed $other): int
        {
            return serialize(is_array($one) ? $one : (string) $one) <=>
                serialize(is_array($other) ? $other : (string) $other);
        }

        /** The user's file: only what differs from the other layers. Null when nothing changed. */
        public function dumpChanges(string $header = ''): ?string
        {
            $text = $header;
            $changed = false;
            foreach ($this->merged as $section => $values) {
                $defaults = [];
                foreach ($this->paths as $path) {
                    $defaults = array_merge($defaults, $this->files[$path][$section] ?? []);
                }
                $own = array_filter($values, static function ($value, $key) use ($defaults): bool {
                    return !isset($defaults[$key]) || self::compareElements($value, $defaults[$key]) !== 0;
                }, ARRAY_FILTER_USE_BOTH);
                $before = $this->files[$this->userFile][$section] ?? [];
                $changed = $changed || self::compareElements($own, $before) !== 0;
                if (!$own) {
                    continue;
                }
                $text .= "[$section]\n";
                foreach ($own as $key => $value) {
                    foreach ((array) $value as $item) {
                        $encoded = str_replace('$', '&#36;', htmlentities((string) $item, ENT_COMPAT));
                        $text .= $key . (is_array($value) ? '[]' : '') . " = \"$encoded\"\n";
                    }
                }
                $text .= "\n";
            }
            return $changed ? $text : null;
        }
    }
}

namespace Piwik\Application\Kernel {
    use Piwik\Config\IniFileChain;

    final class GlobalSettingsProvider
    {
        private IniFileChain $chain;

        public function __construct()
        {
            $root = PIWIK_USER_PATH . '/config';
            $this->chain = new IniFileChain(
                ["$root/global.ini.php", "$root/common.config.ini.php"],
                \Piwik\Config::getLocalConfigPath()
            );
        }

        public function getIniFileChain(): IniFileChain
        {
            return $this->chain;
        }

        public function reload(): void
        {
            $this->chain->reload();
        }
    }
}

namespace Piwik\Application {
    final class Environment
    {
        public function __construct(private string $kind)
        {
        }

        public function init(): void
        {
            if (!is_readable(\Piwik\Config::getLocalConfigPath())) {
                throw new \RuntimeException('The configuration file {config/config.ini.php} has not been found');
            }
            \Piwik\Container\StaticContainer::$container = [
                Kernel\GlobalSettingsProvider::class => new Kernel\GlobalSettingsProvider(),
            ];
            \Piwik\Plugin\Manager::getInstance()->readDefinitions();
        }
    }
}

namespace Piwik\Container {
    final class StaticContainer
    {
        public static ?array $container = null;

        public static function get(string $class): object
        {
            if (self::$container === null) {
                throw new \RuntimeException('The root container has not been created yet.');
            }
            return self::$container[$class] ??= new $class();
        }
    }
}

namespace Piwik {
    use Piwik\Application\Kernel\GlobalSettingsProvider;
    use Piwik\Container\StaticContainer;

    final class Config
    {
        public static function getInstance(): self
        {
            return StaticContainer::get(self::class);
        }

        public static function getLocalConfigPath(): string
        {
            return isset($GLOBALS['CONFIG_INI_PATH_RESOLVER'])
                ? ($GLOBALS['CONFIG_INI_PATH_RESOLVER'])()
                : PIWIK_USER_PATH . '/config/config.ini.php';
        }

        public function &__get(string $section): array
        {
            return StaticContainer::get(GlobalSettingsProvider::class)->getIniFileChain()->get($section);
        }

        public function __set(string $section, array $values): void
        {
            StaticContainer::get(GlobalSettingsProvider::class)->getIniFileChain()->set($section, $values);
        }

        /** In place, as the real one does: a kill in the middle cuts the file short. */
        public function forceSave(): void
        {
            $provider = StaticContainer::get(GlobalSettingsProvider::class);
            $text = $provider->getIniFileChain()->dumpChanges("; <?php exit; ?> DO NOT REMOVE THIS LINE\n");
            if ($text !== null && @file_put_contents(self::getLocalConfigPath(), $text, LOCK_EX) === false) {
                throw new \RuntimeException('The configuration file is not writable.');
            }
            $provider->reload();
        }
    }
}
