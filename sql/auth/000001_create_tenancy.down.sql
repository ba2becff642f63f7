drop table auth.branches;
drop table auth.apps;
drop table auth.tenants;
drop schema auth;
