drop table csms.locations;
