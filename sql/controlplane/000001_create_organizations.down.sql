drop table controlplane.policies;
drop table controlplane.users;
drop table controlplane.applications;
drop table controlplane.organizations;
drop schema controlplane;
