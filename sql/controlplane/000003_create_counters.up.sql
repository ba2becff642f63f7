-- Counters that budgets and rate limits are held with: one row a scope and period, changed by one statement.
create table controlplane.budget_usage (
  org_id      uuid                     not null,
  scope       text collate "C"         not null,
  period      text collate "C"         not null,
  period_key  text collate "C"         not null,
  spent       numeric(18,6)            not null default 0,
  requests    bigint                   not null default 0,
  updated_at  timestamptz              not null default now(),
  constraint budget_usage_pkey primary key (org_id, scope, period, period_key),
  constraint budget_usage_scope_length check (char_length(scope) between 1 and 255),
  constraint budget_usage_period_check check (period in ('daily', 'monthly')),
  constraint budget_usage_period_key_length check (char_length(period_key) between 7 and 10)
);

create index budget_usage_spent_idx
  on controlplane.budget_usage (org_id, period, period_key, spent desc, scope);

comment on table controlplane.budget_usage is 'Money spent by scope and period';
comment on column controlplane.budget_usage.scope is 'org, app:<id> or user:<id>';
comment on column controlplane.budget_usage.period_key is '2024-01-15 for a day, 2024-01 for a month';

create table controlplane.rate_usage (
  org_id          uuid                     not null,
  scope           text collate "C"         not null,
  metric          text collate "C"         not null,
  window_seconds  integer                  not null,
  window_index    bigint                   not null,
  used            bigint                   not null default 0,
  ends_at         timestamptz              not null,
  constraint rate_usage_pkey primary key (org_id, scope, metric, window_seconds, window_index),
  constraint rate_usage_scope_length check (char_length(scope) between 1 and 255),
  constraint rate_usage_metric_check check (metric in ('requests', 'tokens')),
  constraint rate_usage_window_seconds_min check (window_seconds >= 1)
);

create index rate_usage_ends_idx on controlplane.rate_usage (ends_at);

comment on table controlplane.rate_usage is 'Requests and tokens by scope and window; two windows make a sliding one';
