; <?php exit; ?> DO NOT REMOVE THIS LINE
; Defaults of the look-alike: those keys of the real one that a deployment touches.
[database]
host =
username =
password =
dbname =
tables_prefix =
port = 3306
charset = utf8
collation =
schema = Mysql

[General]
enable_installer = 1
enable_auto_update = 1
enable_browser_archiving_triggering = 1
archiving_range_force_on_browser_request = 1
force_ssl = 0
enable_internet_features = 1
assume_secure_protocol = 0
minimum_memory_limit = 128
minimum_memory_limit_when_archiving = 768
