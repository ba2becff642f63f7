drop table auth.app_keys;
