<?php
/**
 * The part of install.php for plugins that are no part of Matomo: those that the stack's settings
 * declare are fetched, checked and activated, those that they switch off are off before Matomo starts.
 * None of it takes a site down: what cannot be had is told, and the old one stays.
 *
 * A plugin is one folder on the volume, where a person's own ones are; the zips are kept beside them,
 * so that a start needs no network. Killed anywhere and run again, it ends in the same plugins.
 */
declare(strict_types=1);

use Piwik\Plugin\Manager;

const PLUGINS = '/state/plugins';
/** Zips by their checksum, and what is being unpacked. */
const PLUGIN_CACHE = '/state/.matomo/plugins';
/** In a plugin's folder, and so in a backup: the checksum of the zip that it was made of. */
const PLUGIN_SOURCE = '.source';

/** Seconds for one zip: the site waits for it, once for each new version. */
const PLUGIN_SECONDS = 120;

/** Takes plugins out of the list of those that are on: a text, as Matomo may not start with them. */
function switchOff(array $names): void
{
    $path = STATE . '/config/config.ini.php';
    $section = '';
    $kept = [];
    $off = [];
    foreach (file($path) as $line) {
        if (preg_match('/^\s*\[(\w+)\]/', $line, $header)) {
            $section = $header[1];
        }
        $listed = $section === 'Plugins' && preg_match('/^\s*Plugins\[\]\s*=\s*"?(\w+)"?\s*$/', $line, $plugin);
        if ($listed && in_array($plugin[1], $names, true)) {
            $off[] = $plugin[1];
        } else {
            $kept[] = $line;
        }
    }
    if ($off) {
        replaceFile($path, implode('', $kept));
        say('switched off by the settings: ' . implode(', ', $off));
    }
}

/** Brings each declared plugin to its version; one that cannot be had leaves what is there. */
function fetchPlugins(array $declared): void
{
    is_dir(PLUGIN_CACHE) || mkdir(PLUGIN_CACHE, 0700, true);
    foreach ($declared as $plugin) {
        $folder = PLUGINS . "/{$plugin['name']}";
        try {
            fetchPlugin($plugin, $folder);
        } catch (PluginError $error) {
            $left = is_file("$folder/plugin.json")
                ? 'the one that is there stays: ' . statedVersion($folder)
                : 'the site goes on without it';
            say("WARNING: plugin {$plugin['name']} {$plugin['version']}: {$error->getMessage()}; $left");
        }
    }
    // What no plugin of the settings needs any more: old versions, and what a killed start left.
    $needed = array_map(static fn ($plugin) => zipOf($plugin), $declared);
    foreach (glob(PLUGIN_CACHE . '/*') as $path) {
        in_array($path, $needed, true) || removeTree($path);
    }
}

/** What keeps one plugin from its version, and nothing else. */
final class PluginError extends RuntimeException
{
}

function zipOf(array $plugin): string
{
    return PLUGIN_CACHE . "/{$plugin['sha256']}.zip";
}

function statedVersion(string $folder): string
{
    $stated = json_decode((string) @file_get_contents("$folder/plugin.json"), true);
    return is_string($stated['version'] ?? null) ? $stated['version'] : 'without a version';
}

function fetchPlugin(array $plugin, string $folder): void
{
    $source = trim((string) @file_get_contents("$folder/" . PLUGIN_SOURCE));
    if ($source === $plugin['sha256']) {
        return;
    }
    // A person updated it in the UI: its tables may be newer than the declared code.
    if ($source === '' && version_compare(statedVersion($folder), $plugin['version'], '>')) {
        throw new PluginError('a newer one was installed by hand, which is not replaced; declare that one');
    }
    $zip = zipOf($plugin);
    if (!is_file($zip) || hash_file('sha256', $zip) !== $plugin['sha256']) {
        download($plugin, $zip);
    }
    $new = unpackPlugin($plugin, $zip);
    $old = PLUGIN_CACHE . "/{$plugin['name']}.old";
    removeTree($old);
    if (is_dir($folder) && !rename($folder, $old)) {
        throw new PluginError("$folder cannot be moved");
    }
    rename($new, $folder);
    removeTree($old);
    say("plugin {$plugin['name']} {$plugin['version']} is in place");
}

/** Nothing that differs from its checksum ever has the name of a zip. */
function download(array $plugin, string $zip): void
{
    stopIfTold();
    ['url' => $url, 'sha256' => $sum] = $plugin;
    $command = ['curl', '--fail', '--silent', '--show-error', '--location', '--max-redirs', '5',
        '--proto', '=http,https', '--connect-timeout', '20', '--max-time', (string) PLUGIN_SECONDS,
        '--output', "$zip.new", '--', $url];
    $curl = proc_open($command, [['file', '/dev/null', 'r'], STDOUT, ['file', "$zip.words", 'w']], $pipes);
    while (($status = proc_get_status($curl))['running']) {
        if (is_file(STOPPING)) {
            proc_terminate($curl);
            stopIfTold();
        }
        usleep(20_000);
    }
    if ($status['exitcode'] !== 0) {
        throw new PluginError("$url cannot be fetched (" . trim(file_get_contents("$zip.words")) . ')');
    }
    $found = hash_file('sha256', "$zip.new");
    if ($found !== $sum) {
        throw new PluginError("$url has the SHA-256 $found, the settings say $sum");
    }
    rename("$zip.new", $zip);
}

/** The one folder of the zip, with its source noted, ready to be moved to its place. */
function unpackPlugin(array $plugin, string $zip): string
{
    $name = $plugin['name'];
    $folder = PLUGIN_CACHE . "/$name.new";
    removeTree($folder);
    $archive = new ZipArchive();
    if ($archive->open($zip) !== true) {
        throw new PluginError('its file is no zip');
    }
    for ($i = 0; $i < $archive->numFiles; $i++) {
        $entry = $archive->getNameIndex($i);
        if (!str_starts_with($entry, "$name/") || in_array('..', explode('/', $entry), true)) {
            throw new PluginError("its zip holds more than the folder $name: $entry");
        }
    }
    if (!$archive->extractTo($folder)) {
        throw new PluginError('its zip cannot be unpacked; is the volume full?');
    }
    $version = statedVersion("$folder/$name");
    if ($version !== $plugin['version']) {
        throw new PluginError("its plugin.json states $version, the settings say {$plugin['version']}");
    }
    file_put_contents("$folder/$name/" . PLUGIN_SOURCE, $plugin['sha256'] . "\n");
    return "$folder/$name";
}

function removeTree(string $path): void
{
    if (!is_link($path) && is_dir($path)) {
        foreach (array_diff(scandir($path), ['.', '..']) as $entry) {
            removeTree("$path/$entry");
        }
        rmdir($path);
    } elseif (file_exists($path) || is_link($path)) {
        unlink($path);
    }
}

/** Activates what was declared, with its tables; one that Matomo refuses stays off. */
function activatePlugins(array $declared): void
{
    $manager = Manager::getInstance();
    foreach (array_column($declared, 'name') as $name) {
        if (!is_dir(PLUGINS . "/$name") || $manager->isPluginActivated($name)) {
            continue;
        }
        try {
            $manager->activatePlugin($name);
            say("activated the plugin $name");
        } catch (Throwable $error) {
            say("WARNING: Matomo does not activate the plugin $name: {$error->getMessage()}");
        }
    }
}
