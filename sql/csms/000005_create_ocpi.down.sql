drop table csms.ocpi_parties;
drop table csms.ocpi_registrations;
