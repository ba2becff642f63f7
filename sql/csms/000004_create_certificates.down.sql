drop table csms.certificates;
