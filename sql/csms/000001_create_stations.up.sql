-- Charge stations and what is to be sent to them. No table refers to another: a station needs no row of its own
-- before it has settings, and every key begins with the station.
create schema csms;

comment on schema csms is 'Charge stations, tokens, transactions, certificates, OCPI parties and locations';

create table csms.charge_stations (
  charge_station_id         text              not null,
  security_profile          smallint          not null default 0,
  base64_sha256_password    text collate "C"  not null default '',
  invalid_username_allowed  boolean           not null default false,
  created_at                timestamptz       not null default now(),
  updated_at                timestamptz       not null default now(),
  constraint charge_stations_pkey primary key (charge_station_id),
  constraint charge_stations_charge_station_id_length check (char_length(charge_station_id) between 1 and 48),
  constraint charge_stations_security_profile_range check (security_profile between 0 and 127),
  constraint charge_stations_base64_sha256_password_length check (char_length(base64_sha256_password) <= 255)
);

comment on table csms.charge_stations is 'Credentials of charge stations';

create table csms.charge_station_settings (
  charge_station_id  text         not null,
  settings           jsonb        not null default '{}',
  created_at         timestamptz  not null default now(),
  updated_at         timestamptz  not null default now(),
  constraint charge_station_settings_pkey primary key (charge_station_id),
  constraint charge_station_settings_charge_station_id_length
    check (char_length(charge_station_id) between 1 and 48)
);

create index charge_station_settings_page_idx on csms.charge_station_settings (charge_station_id collate "C");

comment on table csms.charge_station_settings is
  'Settings of a station: one JSON object by name, so that a change is one statement';
comment on column csms.charge_station_settings.settings is
  'Name to value, status and send_after; a missing send_after means at once';

create table csms.charge_station_runtime (
  charge_station_id  text              not null,
  ocpp_version       text collate "C"  not null,
  firmware_version   text collate "C",
  model              text collate "C",
  vendor             text collate "C",
  serial_number      text collate "C",
  created_at         timestamptz       not null default now(),
  updated_at         timestamptz       not null default now(),
  constraint charge_station_runtime_pkey primary key (charge_station_id),
  constraint charge_station_runtime_charge_station_id_length
    check (char_length(charge_station_id) between 1 and 48),
  constraint charge_station_runtime_ocpp_version_length check (char_length(ocpp_version) between 1 and 10),
  constraint charge_station_runtime_firmware_version_length check (char_length(firmware_version) <= 255),
  constraint charge_station_runtime_model_length check (char_length(model) <= 255),
  constraint charge_station_runtime_vendor_length check (char_length(vendor) <= 255),
  constraint charge_station_runtime_serial_number_length check (char_length(serial_number) <= 255)
);

comment on table csms.charge_station_runtime is 'What a station said of itself when it booted';

create table csms.charge_station_certificates (
  charge_station_id                text              not null,
  certificate_id                   text collate "C"  not null,
  position                         bigint            not null default 0,
  certificate_type                 text collate "C"  not null,
  certificate_data                 text collate "C"  not null,
  certificate_installation_status  text collate "C"  not null default 'Pending',
  send_after                       timestamptz,
  created_at                       timestamptz       not null default now(),
  updated_at                       timestamptz       not null default now(),
  constraint charge_station_certificates_pkey primary key (charge_station_id, certificate_id),
  constraint charge_station_certificates_charge_station_id_length
    check (char_length(charge_station_id) between 1 and 48),
  constraint charge_station_certificates_certificate_id_length
    check (char_length(certificate_id) between 1 and 255),
  constraint charge_station_certificates_certificate_type_check
    check (certificate_type in ('ChargeStation', 'EVCC', 'V2G', 'MO', 'MF', 'CSMS')),
  constraint charge_station_certificates_certificate_data_length check (char_length(certificate_data) >= 1),
  constraint charge_station_certificates_status_check
    check (certificate_installation_status in ('Pending', 'Accepted', 'Rejected'))
);

create index charge_station_certificates_position_idx
  on csms.charge_station_certificates (charge_station_id, position);
create index charge_station_certificates_page_idx
  on csms.charge_station_certificates (charge_station_id collate "C", position);

comment on table csms.charge_station_certificates is 'Certificates to be installed on a station';
comment on column csms.charge_station_certificates.position is
  'Order in which the certificates were first named: microseconds of the writer''s clock, and the place in its list';
comment on column csms.charge_station_certificates.send_after is 'Null: at once';

create table csms.charge_station_triggers (
  charge_station_id  text              not null,
  trigger_message    text collate "C"  not null,
  trigger_status     text collate "C"  not null default 'Pending',
  connector_id       integer,
  send_after         timestamptz,
  created_at         timestamptz       not null default now(),
  updated_at         timestamptz       not null default now(),
  constraint charge_station_triggers_pkey primary key (charge_station_id),
  constraint charge_station_triggers_charge_station_id_length
    check (char_length(charge_station_id) between 1 and 48),
  constraint charge_station_triggers_trigger_message_check
    check (trigger_message in (
      'BootNotification', 'Heartbeat', 'StatusNotification', 'FirmwareStatusNotification',
      'DiagnosticStatusNotification', 'MeterValues', 'SignChargingStationCertificate',
      'SignV2GCertificate', 'SignCombinedCertificate', 'PublishFirmwareStatusNotification',
      'NotifyReport', 'NotifyMonitoringReport', 'LogStatusNotification')),
  constraint charge_station_triggers_trigger_status_check
    check (trigger_status in ('Pending', 'Accepted', 'Rejected', 'NotImplemented'))
);

create index charge_station_triggers_page_idx on csms.charge_station_triggers (charge_station_id collate "C");

comment on table csms.charge_station_triggers is 'The message that a station is to be asked for: at most one';
comment on column csms.charge_station_triggers.send_after is 'Null: at once';
