drop table auth.user_apps;
drop table auth.users;
