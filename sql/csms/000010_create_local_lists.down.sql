drop table csms.local_auth_list_entries;
drop table csms.local_auth_list_versions;
