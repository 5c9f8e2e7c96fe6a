<?php
/** Plugins as far as an installer meets them: activated by config.ini.php, installed once. */

namespace Piwik {
    /** What a third-party plugin extends. */
    class Plugin
    {
    }
}

namespace Piwik\Scheduler {
    /** A method of a plugin's Tasks, by the name that the scheduler calls it. */
    final class Task
    {
        public function __construct(private object $tasks, public string $method)
        {
        }
        public function getName(): string
        {
            return get_class($this->tasks) . '.' . $this->method;
        }
        public function run(): void
        {
            $this->tasks->{$this->method}();
        }
    }
}

namespace Piwik\Plugin {
    use Piwik\Common;
    use Piwik\Config;
    use Piwik\Db;

    /** What a plugin wants done now and then. */
    abstract class Tasks
    {
        /** @var \Piwik\Scheduler\Task[] */
        public array $scheduled = [];

        abstract public function schedule();

        protected function hourly(string $method): void
        {
            $this->scheduled[] = new \Piwik\Scheduler\Task($this, $method);
        }
    }

    final class Manager
    {
        private const CORE = ['CoreHome', 'CustomJsTracker', 'PrivacyManager', 'SitesManager', 'UsersManager'];

        public static function getInstance(): self
        {
            static $instance;
            return $instance ??= new self();
        }

        public function loadActivatedPlugins(): void
        {
        }

        /** What activated plugins add to the container, before anything else of them is looked at. */
        public function readDefinitions(): void
        {
            foreach (self::directories() as $directory) {
                foreach (glob($directory . '*/config/config.php') as $file) {
                    $this->isPluginActivated(basename(dirname($file, 2))) && require $file;
                }
            }
        }

        public static function activated(): array
        {
            return Config::getInstance()->Plugins['Plugins'] ?? self::CORE;
        }

        public function isPluginActivated(string $name): bool
        {
            return in_array($name, self::activated(), true);
        }

        public function activatePlugin(string $name): void
        {
            if (!in_array($name, $this->present(), true)) {
                throw new \Exception("Plugin '$name' cannot be found in the filesystem in plugins/ directory.");
            }
            Config::getInstance()->Plugins = ['Plugins' => [...self::activated(), $name]];
            Config::getInstance()->forceSave();
        }

        /** Where a plugin's code is: in the image, or where bootstrap.php says that others are. */
        public static function directories(): array
        {
            $added = array_column($GLOBALS['MATOMO_PLUGIN_DIRS'] ?? [], 'pluginsPathAbsolute');
            return [PIWIK_INCLUDE_PATH . '/plugins/', ...$added];
        }

        /** The names of plugins whose code is there. */
        public function present(): array
        {
            // Of some the code is elsewhere here.
            $names = self::CORE;
            foreach (self::directories() as $directory) {
                $names = [...$names, ...array_map('basename', glob($directory . '*', GLOB_ONLYDIR))];
            }
            return array_values(array_unique($names));
        }

        /** Those of them which are activated. */
        public function found(): array
        {
            return array_values(array_filter($this->present(), $this->isPluginActivated(...)));
        }

        /** Tasks of third-party plugins, those that they themselves say are due. */
        public function dueTasks(): array
        {
            $due = [];
            foreach ($this->found() as $name) {
                $files = glob('{' . implode(',', self::directories()) . "}$name/{{$name},Tasks}.php", GLOB_BRACE);
                if (count($files) < 2) {
                    continue;
                }
                array_map(static fn ($file) => require_once $file, $files);
                $plugin = new ("Piwik\\Plugins\\$name\\$name")();
                $tasks = new ("Piwik\\Plugins\\$name\\Tasks")();
                $tasks->schedule();
                foreach ($tasks->scheduled as $task) {
                    $plugin->{$plugin->registerEvents()['ScheduledTasks.shouldExecuteTask']}($should, $task);
                    $due = [...$due, ...($should ? [$task] : [])];
                }
            }
            return $due;
        }

        /** Makes custom_dimensions, without which addSite dies, and notes what is installed. */
        public function installLoadedPlugins(): void
        {
            Db::query('CREATE TABLE IF NOT EXISTS ' . Common::prefixTable('custom_dimensions') .
                ' (idcustomdimension BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, idsite INT NOT NULL, name VARCHAR(100))');
            $installed = Config::getInstance()->PluginsInstalled['PluginsInstalled'] ?? [];
            $all = array_values(array_unique([...$installed, ...self::CORE, ...$this->found()]));
            Config::getInstance()->PluginsInstalled = ['PluginsInstalled' => $all];
        }
    }
}

namespace Piwik\Plugins\CustomJsTracker {
    /** matomo.js: the image's, and what tracker plugins add to it. */
    final class TrackerUpdater
    {
        public function update(): void
        {
            $script = "/* tracker of the look-alike */\n";
            foreach (\Piwik\Plugin\Manager::directories() as $directory) {
                foreach (glob($directory . '*/tracker.js') as $file) {
                    $on = \Piwik\Plugin\Manager::getInstance()->isPluginActivated(basename(dirname($file)));
                    $script .= $on ? file_get_contents($file) : '';
                }
            }
            if ((new \Piwik\Plugins\PrivacyManager\Config())->forceCookielessTracking) {
                $script .= "disableCookies();\n";
            }
            if (!is_writable(PIWIK_DOCUMENT_ROOT . '/matomo.js')) {
                throw new \RuntimeException('matomo.js is not writable');
            }
            file_put_contents(PIWIK_DOCUMENT_ROOT . '/matomo.js', $script);
        }
    }
}

namespace Piwik\Plugins\Installation {
    final class ServerFilesGenerator
    {
        public static function createFilesForSecurity(): void
        {
            foreach (['config', 'core', 'lang', 'tmp'] as $directory) {
                file_put_contents(PIWIK_DOCUMENT_ROOT . "/$directory/.htaccess", "Require all denied\n");
            }
        }
    }
}

namespace Piwik\Plugins\SitesManager {
    use Piwik\Common;
    use Piwik\Db;

    final class API
    {
        public static function getInstance(): self
        {
            return new self();
        }

        public function getAllSitesId(): array
        {
            return array_column(Db::fetchAll('SELECT idsite FROM ' . Common::prefixTable('site')), 'idsite');
        }

        public function addSite(string $siteName, array $urls, string $timezone = 'UTC'): int
        {
            \Piwik\Access::checkSuperUser();
            if (!in_array($timezone, timezone_identifiers_list(), true)) {
                throw new \RuntimeException("The timezone '$timezone' is not valid");
            }
            Db::query('SELECT COUNT(*) FROM ' . Common::prefixTable('custom_dimensions'));
            Db::query('INSERT INTO ' . Common::prefixTable('site') .
                ' (name, main_url, ts_created, timezone) VALUES (?, ?, NOW(), ?)', [$siteName, $urls[0], $timezone]);
            return (int) Db::get()->lastInsertId();
        }
    }
}
