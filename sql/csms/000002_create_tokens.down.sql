drop table csms.tokens;
