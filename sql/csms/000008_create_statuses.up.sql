-- What stations said last of themselves.
create table csms.firmware_update_status (
  charge_station_id  text              not null,
  status             text collate "C"  not null,
  location           text collate "C"  not null default '',
  retrieve_date      timestamptz,
  retry_count        integer           not null default 0,
  updated_at         timestamptz       not null default now(),
  constraint firmware_update_status_pkey primary key (charge_station_id),
  constraint firmware_update_status_charge_station_id_length
    check (char_length(charge_station_id) between 1 and 48),
  constraint firmware_update_status_status_check
    check (status in (
      'Downloading', 'Downloaded', 'DownloadFailed', 'InstallationFailed', 'Installing', 'Installed',
      'Idle', 'DownloadScheduled', 'DownloadPaused', 'InstallRebooting', 'InstallScheduled',
      'InstallVerificationFailed', 'InvalidSignature', 'SignatureVerified')),
  constraint firmware_update_status_location_length check (char_length(location) <= 1024)
);

comment on table csms.firmware_update_status is 'How far a firmware update is';

create table csms.diagnostics_status (
  charge_station_id  text              not null,
  status             text collate "C"  not null,
  location           text collate "C"  not null default '',
  updated_at         timestamptz       not null default now(),
  constraint diagnostics_status_pkey primary key (charge_station_id),
  constraint diagnostics_status_charge_station_id_length
    check (char_length(charge_station_id) between 1 and 48),
  constraint diagnostics_status_status_check
    check (status in ('Idle', 'Uploaded', 'UploadFailed', 'Uploading')),
  constraint diagnostics_status_location_length check (char_length(location) <= 1024)
);

comment on table csms.diagnostics_status is 'How far an upload of diagnostics is';

create table csms.publish_firmware_status (
  charge_station_id  text              not null,
  status             text collate "C"  not null,
  location           text collate "C"  not null default '',
  checksum           text collate "C"  not null default '',
  request_id         integer           not null default 0,
  updated_at         timestamptz       not null default now(),
  constraint publish_firmware_status_pkey primary key (charge_station_id),
  constraint publish_firmware_status_charge_station_id_length
    check (char_length(charge_station_id) between 1 and 48),
  constraint publish_firmware_status_status_check
    check (status in (
      'Idle', 'Accepted', 'Rejected', 'DownloadScheduled', 'Downloading', 'Downloaded', 'Published',
      'DownloadFailed', 'DownloadPaused', 'InvalidChecksum', 'ChecksumVerified', 'PublishFailed',
      'Failed')),
  constraint publish_firmware_status_location_length check (char_length(location) <= 1024),
  constraint publish_firmware_status_checksum_length check (char_length(checksum) <= 255)
);

comment on table csms.publish_firmware_status is 'How far a local controller is with publishing firmware';

create table csms.log_status (
  charge_station_id  text              not null,
  status             text collate "C"  not null,
  request_id         integer           not null default 0,
  updated_at         timestamptz       not null default now(),
  constraint log_status_pkey primary key (charge_station_id),
  constraint log_status_charge_station_id_length check (char_length(charge_station_id) between 1 and 48),
  constraint log_status_status_check
    check (status in (
      'Idle', 'Uploading', 'Uploaded', 'UploadFailure', 'BadMessage', 'NotSupportedOperation',
      'PermissionDenied'))
);

comment on table csms.log_status is 'How far an upload of a log is';

create table csms.connector_status (
  charge_station_id       text              not null,
  connector_id            integer           not null,
  status                  text collate "C"  not null,
  error_code              text collate "C"  not null default 'NoError',
  info                    text collate "C",
  timestamp               timestamptz,
  vendor_error_code       text collate "C",
  vendor_id               text collate "C",
  current_transaction_id  text collate "C",
  updated_at              timestamptz       not null default now(),
  constraint connector_status_pkey primary key (charge_station_id, connector_id),
  constraint connector_status_charge_station_id_length check (char_length(charge_station_id) between 1 and 48),
  constraint connector_status_connector_id_range check (connector_id >= 0),
  constraint connector_status_status_check
    check (status in (
      'Available', 'Charging', 'Faulted', 'Finishing', 'Preparing', 'Reserved', 'SuspendedEV',
      'SuspendedEVSE', 'Unavailable', 'Occupied')),
  constraint connector_status_error_code_check
    check (error_code in (
      'NoError', 'ConnectorLockFailure', 'EVCommunicationError', 'GroundFailure', 'HighTemperature',
      'InternalError', 'LocalListConflict', 'OtherError', 'OverCurrentFailure', 'OverVoltage',
      'PowerMeterFailure', 'PowerSwitchFailure', 'ReaderFailure', 'ResetFailure', 'UnderVoltage',
      'WeakSignal')),
  constraint connector_status_info_length check (char_length(info) <= 255),
  constraint connector_status_vendor_error_code_length check (char_length(vendor_error_code) <= 255),
  constraint connector_status_vendor_id_length check (char_length(vendor_id) <= 255),
  constraint connector_status_current_transaction_id_length check (char_length(current_transaction_id) <= 36)
);

comment on table csms.connector_status is 'What each connector is doing';

create table csms.charge_station_status (
  charge_station_id  text              not null,
  connected          boolean           not null default false,
  last_heartbeat     timestamptz,
  firmware_version   text collate "C",
  model              text collate "C",
  vendor             text collate "C",
  serial_number      text collate "C",
  updated_at         timestamptz       not null default now(),
  constraint charge_station_status_pkey primary key (charge_station_id),
  constraint charge_station_status_charge_station_id_length
    check (char_length(charge_station_id) between 1 and 48),
  constraint charge_station_status_firmware_version_length check (char_length(firmware_version) <= 255),
  constraint charge_station_status_model_length check (char_length(model) <= 255),
  constraint charge_station_status_vendor_length check (char_length(vendor) <= 255),
  constraint charge_station_status_serial_number_length check (char_length(serial_number) <= 255)
);

comment on table csms.charge_station_status is
  'Whether a station is connected, and when it gave its last sign of life';
