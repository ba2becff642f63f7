drop table csms.reservations;
