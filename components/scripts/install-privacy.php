<?php
/**
 * The part of install.php for what a site records of its visitors. The stack's settings say it, so it
 * is set again at each start; what they leave out is the users', who set it in Matomo's UI.
 *
 * It stands in the database, under the names of Matomo's plugin PrivacyManager.
 */
declare(strict_types=1);

use Piwik\Option;
use Piwik\Plugin\Manager;
use Piwik\Plugins\PrivacyManager\Config as PrivacyConfig;
use Piwik\Plugins\PrivacyManager\PrivacyManager;

/** How Matomo masks an address on a site that has not been told. */
const DEFAULT_MASK = '2';

function ownPrivacy(array $privacy): void
{
    if (!Manager::getInstance()->isPluginActivated('PrivacyManager')) {
        // Without it every address would be stored whole, whatever is set below.
        Manager::getInstance()->activatePlugin('PrivacyManager');
        say('switched the plugin PrivacyManager on again: it masks addresses');
    }
    $mask = (int) $privacy['anonymizeIp'];
    own('ipAnonymizerEnabled', $mask > 0, '1');
    if ((int) (Option::get('PrivacyManager.ipAddressMaskLength') ?: DEFAULT_MASK) < $mask) {
        own('ipAddressMaskLength', $mask, DEFAULT_MASK);
    }
    foreach (['doNotTrack' => 'doNotTrackEnabled', 'cookieless' => 'forceCookielessTracking'] as $name => $option) {
        if (isset($privacy[$name])) {
            own($option, $privacy[$name], '0');
        }
    }
    if (isset($privacy['retentionDays'])) {
        $wanted = [
            'delete_logs_enable' => 1,
            'delete_logs_older_than' => $privacy['retentionDays'],
            // Once a day; Matomo looks once a week otherwise, and a visit would stay for so much longer.
            'delete_logs_schedule_lowest_interval' => 1,
        ];
        if ($wanted != array_intersect_key(PrivacyManager::getPurgeDataSettings(), $wanted)) {
            PrivacyManager::savePurgeDataSettings($wanted);
            say("raw data of visits is deleted after {$privacy['retentionDays']} days");
        }
    }
}

/** Sets one of PrivacyManager's properties where it differs from what is stored, or from the default. */
function own(string $property, bool|int $value, string $default): void
{
    $stored = Option::get("PrivacyManager.$property");
    if (($stored === false ? $default : $stored) !== (string) (int) $value) {
        $config = new PrivacyConfig();
        $config->$property = $value;
        say("set $property of PrivacyManager to " . (int) $value);
    }
}
