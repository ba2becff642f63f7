drop table csms.charge_station_triggers;
drop table csms.charge_station_certificates;
drop table csms.charge_station_runtime;
drop table csms.charge_station_settings;
drop table csms.charge_stations;
drop schema csms;
