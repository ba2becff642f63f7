drop table csms.device_report;
drop table csms.charge_station_event;
drop table csms.variable_monitoring;
drop table csms.counters;
