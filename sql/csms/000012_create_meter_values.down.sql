drop table csms.meter_values;
