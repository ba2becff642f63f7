drop table csms.charging_profiles;
