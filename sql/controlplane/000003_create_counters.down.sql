drop table controlplane.rate_usage;
drop table controlplane.budget_usage;
