-- Commands that wait to be sent: at most one of a kind a station.
create table csms.charge_station_data_transfer (
  charge_station_id  text              not null,
  vendor_id          text collate "C"  not null,
  message_id         text collate "C",
  data               text collate "C",
  response_data      text collate "C",
  status             text collate "C"  not null default 'Pending',
  send_after         timestamptz,
  created_at         timestamptz       not null default now(),
  updated_at         timestamptz       not null default now(),
  constraint charge_station_data_transfer_pkey primary key (charge_station_id),
  constraint charge_station_data_transfer_charge_station_id_length
    check (char_length(charge_station_id) between 1 and 48),
  constraint charge_station_data_transfer_vendor_id_length check (char_length(vendor_id) between 1 and 255),
  constraint charge_station_data_transfer_message_id_length check (char_length(message_id) <= 255),
  constraint charge_station_data_transfer_status_check
    check (status in ('Pending', 'Accepted', 'Rejected', 'UnknownMessageId', 'UnknownVendorId'))
);

create index charge_station_data_transfer_page_idx
  on csms.charge_station_data_transfer (charge_station_id collate "C");

comment on table csms.charge_station_data_transfer is 'Data for a vendor''s own purposes';
comment on column csms.charge_station_data_transfer.send_after is 'Null: at once';

create table csms.charge_station_clear_cache (
  charge_station_id  text              not null,
  status             text collate "C"  not null default 'Pending',
  send_after         timestamptz,
  created_at         timestamptz       not null default now(),
  updated_at         timestamptz       not null default now(),
  constraint charge_station_clear_cache_pkey primary key (charge_station_id),
  constraint charge_station_clear_cache_charge_station_id_length
    check (char_length(charge_station_id) between 1 and 48),
  constraint charge_station_clear_cache_status_check check (status in ('Pending', 'Accepted', 'Rejected'))
);

create index charge_station_clear_cache_page_idx
  on csms.charge_station_clear_cache (charge_station_id collate "C");

comment on table csms.charge_station_clear_cache is 'Asks a station to forget what it knows of tokens';
comment on column csms.charge_station_clear_cache.send_after is 'Null: at once';

create table csms.charge_station_change_availability (
  charge_station_id  text              not null,
  connector_id       integer,
  evse_id            integer,
  type               text collate "C"  not null,
  status             text collate "C"  not null default 'Pending',
  send_after         timestamptz,
  created_at         timestamptz       not null default now(),
  updated_at         timestamptz       not null default now(),
  constraint charge_station_change_availability_pkey primary key (charge_station_id),
  constraint charge_station_change_availability_charge_station_id_length
    check (char_length(charge_station_id) between 1 and 48),
  constraint charge_station_change_availability_type_check check (type in ('Operative', 'Inoperative')),
  constraint charge_station_change_availability_status_check
    check (status in ('Pending', 'Accepted', 'Rejected', 'Scheduled'))
);

create index charge_station_change_availability_page_idx
  on csms.charge_station_change_availability (charge_station_id collate "C");

comment on table csms.charge_station_change_availability is
  'Takes a station, an EVSE or a connector into use, or out of it';
comment on column csms.charge_station_change_availability.connector_id is 'Null or 0: the whole station';
comment on column csms.charge_station_change_availability.send_after is 'Null: at once';

create table csms.charge_station_certificate_queries (
  charge_station_id  text              not null,
  certificate_type   text collate "C",
  status             text collate "C"  not null default 'Pending',
  send_after         timestamptz,
  created_at         timestamptz       not null default now(),
  updated_at         timestamptz       not null default now(),
  constraint charge_station_certificate_queries_pkey primary key (charge_station_id),
  constraint charge_station_certificate_queries_charge_station_id_length
    check (char_length(charge_station_id) between 1 and 48),
  constraint charge_station_certificate_queries_certificate_type_length
    check (char_length(certificate_type) <= 50),
  constraint charge_station_certificate_queries_status_check
    check (status in ('Pending', 'Accepted', 'Rejected'))
);

create index charge_station_certificate_queries_page_idx
  on csms.charge_station_certificate_queries (charge_station_id collate "C");

comment on table csms.charge_station_certificate_queries is 'Asks which certificates a station has';
comment on column csms.charge_station_certificate_queries.send_after is 'Null: at once';

create table csms.charge_station_certificate_deletions (
  charge_station_id  text              not null,
  hash_algorithm     text collate "C"  not null,
  issuer_name_hash   text collate "C"  not null,
  issuer_key_hash    text collate "C"  not null,
  serial_number      text collate "C"  not null,
  status             text collate "C"  not null default 'Pending',
  send_after         timestamptz,
  created_at         timestamptz       not null default now(),
  updated_at         timestamptz       not null default now(),
  constraint charge_station_certificate_deletions_pkey primary key (charge_station_id),
  constraint charge_station_certificate_deletions_charge_station_id_length
    check (char_length(charge_station_id) between 1 and 48),
  constraint charge_station_certificate_deletions_hash_algorithm_length
    check (char_length(hash_algorithm) between 1 and 50),
  constraint charge_station_certificate_deletions_issuer_name_hash_length
    check (char_length(issuer_name_hash) between 1 and 255),
  constraint charge_station_certificate_deletions_issuer_key_hash_length
    check (char_length(issuer_key_hash) between 1 and 255),
  constraint charge_station_certificate_deletions_serial_number_length
    check (char_length(serial_number) between 1 and 255),
  constraint charge_station_certificate_deletions_status_check
    check (status in ('Pending', 'Accepted', 'Rejected', 'NotFound'))
);

create index charge_station_certificate_deletions_page_idx
  on csms.charge_station_certificate_deletions (charge_station_id collate "C");

comment on table csms.charge_station_certificate_deletions is 'Asks a station to delete a certificate';
comment on column csms.charge_station_certificate_deletions.send_after is 'Null: at once';

create table csms.remote_start_transaction_requests (
  charge_station_id  text              not null,
  id_tag             text collate "C"  not null,
  connector_id       integer,
  charging_profile   text collate "C",
  request_type       text collate "C"  not null default 'Start',
  status             text collate "C"  not null default 'Pending',
  send_after         timestamptz,
  created_at         timestamptz       not null default now(),
  updated_at         timestamptz       not null default now(),
  constraint remote_start_transaction_requests_pkey primary key (charge_station_id),
  constraint remote_start_transaction_requests_charge_station_id_length
    check (char_length(charge_station_id) between 1 and 48),
  constraint remote_start_transaction_requests_id_tag_length check (char_length(id_tag) between 1 and 36),
  constraint remote_start_transaction_requests_request_type_check check (request_type in ('Start')),
  constraint remote_start_transaction_requests_status_check
    check (status in ('Pending', 'Accepted', 'Rejected'))
);

create index remote_start_transaction_requests_page_idx
  on csms.remote_start_transaction_requests (charge_station_id collate "C");

comment on table csms.remote_start_transaction_requests is 'Asks a station to begin charging';
comment on column csms.remote_start_transaction_requests.send_after is 'Null: at once';

create table csms.remote_stop_transaction_requests (
  charge_station_id  text              not null,
  transaction_id     text collate "C"  not null,
  request_type       text collate "C"  not null default 'Stop',
  status             text collate "C"  not null default 'Pending',
  send_after         timestamptz,
  created_at         timestamptz       not null default now(),
  updated_at         timestamptz       not null default now(),
  constraint remote_stop_transaction_requests_pkey primary key (charge_station_id),
  constraint remote_stop_transaction_requests_charge_station_id_length
    check (char_length(charge_station_id) between 1 and 48),
  constraint remote_stop_transaction_requests_transaction_id_length
    check (char_length(transaction_id) between 1 and 36),
  constraint remote_stop_transaction_requests_request_type_check check (request_type in ('Stop')),
  constraint remote_stop_transaction_requests_status_check
    check (status in ('Pending', 'Accepted', 'Rejected'))
);

create index remote_stop_transaction_requests_page_idx
  on csms.remote_stop_transaction_requests (charge_station_id collate "C");

comment on table csms.remote_stop_transaction_requests is 'Asks a station to end charging';
comment on column csms.remote_stop_transaction_requests.send_after is 'Null: at once';

create table csms.firmware_update_request (
  charge_station_id    text              not null,
  location             text collate "C"  not null,
  retrieve_date        timestamptz,
  retries              integer,
  retry_interval       integer,
  signature            text collate "C",
  signing_certificate  text collate "C",
  status               text collate "C"  not null default 'Pending',
  send_after           timestamptz,
  created_at           timestamptz       not null default now(),
  updated_at           timestamptz       not null default now(),
  constraint firmware_update_request_pkey primary key (charge_station_id),
  constraint firmware_update_request_charge_station_id_length
    check (char_length(charge_station_id) between 1 and 48),
  constraint firmware_update_request_location_length check (char_length(location) between 1 and 1024),
  constraint firmware_update_request_status_check check (status in ('Pending', 'Accepted', 'Rejected'))
);

create index firmware_update_request_page_idx on csms.firmware_update_request (charge_station_id collate "C");

comment on table csms.firmware_update_request is 'Asks a station to install firmware';
comment on column csms.firmware_update_request.send_after is 'Null: at once';

create table csms.diagnostics_request (
  charge_station_id  text              not null,
  location           text collate "C"  not null,
  start_time         timestamptz,
  stop_time          timestamptz,
  retries            integer,
  retry_interval     integer,
  status             text collate "C"  not null default 'Pending',
  send_after         timestamptz,
  created_at         timestamptz       not null default now(),
  updated_at         timestamptz       not null default now(),
  constraint diagnostics_request_pkey primary key (charge_station_id),
  constraint diagnostics_request_charge_station_id_length
    check (char_length(charge_station_id) between 1 and 48),
  constraint diagnostics_request_location_length check (char_length(location) between 1 and 1024),
  constraint diagnostics_request_status_check check (status in ('Pending', 'Accepted', 'Rejected'))
);

create index diagnostics_request_page_idx on csms.diagnostics_request (charge_station_id collate "C");

comment on table csms.diagnostics_request is 'Asks a station for its diagnostics';
comment on column csms.diagnostics_request.send_after is 'Null: at once';

create table csms.log_request (
  charge_station_id  text              not null,
  log_type           text collate "C"  not null,
  request_id         integer           not null,
  remote_location    text collate "C"  not null,
  oldest_timestamp   timestamptz,
  latest_timestamp   timestamptz,
  retries            integer,
  retry_interval     integer,
  status             text collate "C"  not null default 'Pending',
  send_after         timestamptz,
  created_at         timestamptz       not null default now(),
  updated_at         timestamptz       not null default now(),
  constraint log_request_pkey primary key (charge_station_id),
  constraint log_request_charge_station_id_length check (char_length(charge_station_id) between 1 and 48),
  constraint log_request_log_type_check check (log_type in ('DiagnosticsLog', 'SecurityLog')),
  constraint log_request_remote_location_length check (char_length(remote_location) between 1 and 1024),
  constraint log_request_status_check check (status in ('Pending', 'Accepted', 'Rejected'))
);

create index log_request_page_idx on csms.log_request (charge_station_id collate "C");

comment on table csms.log_request is 'Asks a station for its log';
comment on column csms.log_request.send_after is 'Null: at once';

create table csms.reset_request (
  charge_station_id  text              not null,
  type               text collate "C"  not null,
  status             text collate "C"  not null default 'Pending',
  created_at         timestamptz       not null default now(),
  updated_at         timestamptz       not null default now(),
  constraint reset_request_pkey primary key (charge_station_id),
  constraint reset_request_charge_station_id_length check (char_length(charge_station_id) between 1 and 48),
  constraint reset_request_type_check check (type in ('Soft', 'Hard')),
  constraint reset_request_status_check check (status in ('Pending', 'Accepted', 'Rejected'))
);

comment on table csms.reset_request is 'Asks a station to start again';

create table csms.unlock_connector_request (
  charge_station_id  text              not null,
  connector_id       integer           not null,
  status             text collate "C"  not null default 'Pending',
  created_at         timestamptz       not null default now(),
  updated_at         timestamptz       not null default now(),
  constraint unlock_connector_request_pkey primary key (charge_station_id),
  constraint unlock_connector_request_charge_station_id_length
    check (char_length(charge_station_id) between 1 and 48),
  constraint unlock_connector_request_connector_id_range check (connector_id >= 0),
  constraint unlock_connector_request_status_check
    check (status in ('Pending', 'Unlocked', 'NotLocked', 'Failed'))
);

comment on table csms.unlock_connector_request is 'Asks a station to let a cable go';
