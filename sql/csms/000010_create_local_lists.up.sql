-- Local authorization lists: what a station may decide while it is offline.
create table csms.local_auth_list_versions (
  charge_station_id  text         not null,
  version            integer      not null,
  updated_at         timestamptz  not null default now(),
  constraint local_auth_list_versions_pkey primary key (charge_station_id),
  constraint local_auth_list_versions_charge_station_id_length
    check (char_length(charge_station_id) between 1 and 48),
  constraint local_auth_list_versions_version_range check (version >= 0)
);

comment on table csms.local_auth_list_versions is
  'The version of a station''s list; the row to lock for who changes the list';

create table csms.local_auth_list_entries (
  charge_station_id  text              not null,
  id_tag             text collate "C"  not null,
  status             text collate "C"  not null,
  expiry_date        text collate "C",
  parent_id_tag      text collate "C",
  created_at         timestamptz       not null default now(),
  updated_at         timestamptz       not null default now(),
  constraint local_auth_list_entries_pkey primary key (charge_station_id, id_tag),
  constraint local_auth_list_entries_charge_station_id_length
    check (char_length(charge_station_id) between 1 and 48),
  constraint local_auth_list_entries_id_tag_length check (char_length(id_tag) between 1 and 36),
  constraint local_auth_list_entries_status_check
    check (status in ('Accepted', 'Blocked', 'Expired', 'Invalid', 'ConcurrentTx')),
  constraint local_auth_list_entries_expiry_date_length check (char_length(expiry_date) <= 50),
  constraint local_auth_list_entries_parent_id_tag_length check (char_length(parent_id_tag) <= 36)
);

comment on table csms.local_auth_list_entries is 'Entries of the stations'' lists';
