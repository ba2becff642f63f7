drop table csms.transactions;
