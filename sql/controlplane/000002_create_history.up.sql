-- History: it outlives organizations, applications and users, so it has no references and keeps their ids.
create table controlplane.audit_logs (
  org_id         uuid                     not null,
  "timestamp"    timestamptz              not null,
  id             uuid                     not null,
  app_id         uuid,
  user_id        uuid,
  action         text collate "C"         not null,
  resource_type  text collate "C"         not null,
  resource_id    uuid,
  details        jsonb,
  ip_address     text collate "C",
  user_agent     text collate "C",
  request_id     text collate "C",
  model          text collate "C",
  provider       text collate "C",
  tokens_used    integer,
  cost           numeric(18,6),
  latency_ms     integer,
  status_code    integer,
  error_message  text collate "C",
  constraint audit_logs_pkey primary key (org_id, "timestamp", id),
  constraint audit_logs_action_length check (char_length(action) between 1 and 100),
  constraint audit_logs_resource_type_length check (char_length(resource_type) between 1 and 100),
  constraint audit_logs_ip_address_length check (char_length(ip_address) <= 45),
  constraint audit_logs_request_id_length check (char_length(request_id) <= 255),
  constraint audit_logs_model_length check (char_length(model) <= 100),
  constraint audit_logs_provider_length check (char_length(provider) <= 100)
) partition by range ("timestamp");

-- Takes what no month's partition takes, so that no row is refused for its time.
create table controlplane.audit_logs_default partition of controlplane.audit_logs default;

create index audit_logs_time_idx on controlplane.audit_logs (org_id, "timestamp" desc, id);
create index audit_logs_id_idx on controlplane.audit_logs (id);
create index audit_logs_by_app_idx on controlplane.audit_logs (org_id, app_id, "timestamp" desc, id);
create index audit_logs_by_user_idx on controlplane.audit_logs (org_id, user_id, "timestamp" desc, id);
create index audit_logs_by_action_idx on controlplane.audit_logs (org_id, action, "timestamp" desc, id);
create index audit_logs_by_request_idx on controlplane.audit_logs (org_id, request_id, "timestamp" desc, id);

comment on table controlplane.audit_logs is 'What happened; partitioned by month, see ensure_partitions and detach_partitions';

create table controlplane.inference_requests (
  org_id             uuid                     not null,
  id                 uuid                     not null,
  request_id         text collate "C"         not null,
  app_id             uuid                     not null,
  user_id            uuid,
  model              text collate "C"         not null,
  provider           text collate "C"         not null,
  prompt             text collate "C",
  messages           jsonb,
  parameters         jsonb,
  response           text collate "C",
  finish_reason      text collate "C",
  prompt_tokens      integer,
  completion_tokens  integer,
  total_tokens       integer,
  cost               numeric(18,6),
  latency_ms         integer,
  status             text collate "C"         not null default 'pending',
  policies_applied   jsonb,
  policy_violations  jsonb,
  error_code         text collate "C",
  error_message      text collate "C",
  ip_address         text collate "C",
  user_agent         text collate "C",
  created_at         timestamptz              not null default now(),
  started_at         timestamptz,
  completed_at       timestamptz,
  constraint inference_requests_pkey primary key (org_id, id),
  constraint inference_requests_request_id_length check (char_length(request_id) between 1 and 255),
  constraint inference_requests_model_length check (char_length(model) between 1 and 100),
  constraint inference_requests_provider_length check (char_length(provider) between 1 and 100),
  constraint inference_requests_finish_reason_length check (char_length(finish_reason) <= 100),
  constraint inference_requests_status_check
    check (status in ('pending', 'processing', 'completed', 'failed', 'rejected')),
  constraint inference_requests_prompt_tokens_min check (prompt_tokens >= 0),
  constraint inference_requests_completion_tokens_min check (completion_tokens >= 0),
  constraint inference_requests_total_tokens_min check (total_tokens >= 0),
  constraint inference_requests_error_code_length check (char_length(error_code) <= 100),
  constraint inference_requests_ip_address_length check (char_length(ip_address) <= 45)
);

create index inference_requests_created_idx on controlplane.inference_requests (org_id, created_at desc, id);
create index inference_requests_by_app_idx
  on controlplane.inference_requests (org_id, app_id, created_at desc, id);
create index inference_requests_by_user_idx
  on controlplane.inference_requests (org_id, user_id, created_at desc, id);
create index inference_requests_by_status_idx
  on controlplane.inference_requests (org_id, status, created_at desc, id);

comment on table controlplane.inference_requests is 'Requests to models, from pending to their end';
