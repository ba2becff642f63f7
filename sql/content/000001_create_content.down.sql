drop table content.roles;
drop table content.posts;
drop table content.users;
drop schema content;
