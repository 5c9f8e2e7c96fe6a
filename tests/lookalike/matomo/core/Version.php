<?php
/** The version that this look-alike passes itself off as, in the place where images are asked for it. */

namespace Piwik;

final class Version
{
    public const VERSION = '5.5.1';
}
