drop table csms.charge_station_status;
drop table csms.connector_status;
drop table csms.log_status;
drop table csms.publish_firmware_status;
drop table csms.diagnostics_status;
drop table csms.firmware_update_status;
