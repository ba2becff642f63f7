-- Organizations, their applications and users, and the policies that bind them.
create schema controlplane;

comment on schema controlplane is 'Organizations, applications, users, policies, audit logs and inference requests';

create table controlplane.organizations (
  id          uuid                     not null,
  name        text collate "C"         not null,
  slug        text collate "C"         not null,
  created_at  timestamptz              not null default now(),
  updated_at  timestamptz              not null default now(),
  constraint organizations_pkey primary key (id),
  constraint organizations_name_length check (char_length(name) between 1 and 255),
  constraint organizations_slug_length check (char_length(slug) between 1 and 100)
);

create index organizations_created_idx on controlplane.organizations (created_at desc, id);

comment on table controlplane.organizations is 'One row a customer; everything else belongs to one of them';

create table controlplane.applications (
  org_id        uuid                     not null,
  id            uuid                     not null,
  name          text collate "C"         not null,
  api_key_hash  text collate "C"         not null,
  api_key_id    text collate "C",
  created_at    timestamptz              not null default now(),
  updated_at    timestamptz              not null default now(),
  constraint applications_pkey primary key (org_id, id),
  constraint fk_applications_org foreign key (org_id)
    references controlplane.organizations (id)
    on delete cascade,
  constraint applications_name_length check (char_length(name) between 1 and 255),
  constraint applications_api_key_hash_length check (char_length(api_key_hash) between 1 and 255),
  constraint applications_api_key_id_length check (char_length(api_key_id) between 1 and 255)
);

create index applications_created_idx on controlplane.applications (org_id, created_at desc, id);

comment on table controlplane.applications is 'Programs of an organization that send inference requests';
comment on column controlplane.applications.api_key_hash is 'Keyed hash of the API key; a random text while none was issued';
comment on column controlplane.applications.api_key_id is 'Public name inside the key text';

create table controlplane.users (
  org_id       uuid                     not null,
  id           uuid                     not null,
  email        text collate "C"         not null,
  cognito_sub  text collate "C"         not null,
  role         text collate "C"         not null,
  created_at   timestamptz              not null default now(),
  updated_at   timestamptz              not null default now(),
  constraint users_pkey primary key (org_id, id),
  constraint unique_user_email_per_org unique (org_id, email),
  constraint fk_users_org foreign key (org_id)
    references controlplane.organizations (id)
    on delete cascade,
  constraint users_email_length check (char_length(email) between 1 and 255),
  constraint users_cognito_sub_length check (char_length(cognito_sub) between 1 and 255),
  constraint users_role_check check (role in ('admin', 'member', 'viewer'))
);

create index users_created_idx on controlplane.users (org_id, created_at desc, id);

comment on table controlplane.users is 'People of an organization';
comment on column controlplane.users.cognito_sub is 'Subject of the identity provider';

create table controlplane.policies (
  org_id       uuid                     not null,
  id           uuid                     not null,
  app_id       uuid,
  user_id      uuid,
  policy_type  text collate "C"         not null,
  config       jsonb                    not null,
  priority     integer                  not null default 0,
  enabled      boolean                  not null default true,
  created_at   timestamptz              not null default now(),
  updated_at   timestamptz              not null default now(),
  constraint policies_pkey primary key (org_id, id),
  constraint fk_policies_org foreign key (org_id)
    references controlplane.organizations (id)
    on delete cascade,
  constraint fk_policies_app foreign key (org_id, app_id)
    references controlplane.applications (org_id, id)
    on delete cascade,
  constraint fk_policies_user foreign key (org_id, user_id)
    references controlplane.users (org_id, id)
    on delete cascade,
  constraint policies_policy_type_check check (policy_type in ('rate_limit', 'budget', 'routing', 'pii_detection',
    'injection_guard', 'rag', 'retry', 'fallback', 'load_balance')),
  constraint policies_priority_min check (priority >= 0)
);

create index policies_order_idx on controlplane.policies (org_id, priority desc, created_at desc, id);
create index policies_by_app_idx on controlplane.policies (org_id, app_id, priority desc, created_at desc, id);
create index policies_by_user_idx on controlplane.policies (org_id, user_id, priority desc, created_at desc, id);
create index policies_applicable_idx on controlplane.policies (org_id, user_id, app_id) where enabled;
create index policies_config_idx on controlplane.policies using gin (config jsonb_path_ops);

comment on table controlplane.policies is 'Rules for requests: of an organization, of one application, or of one user';
comment on column controlplane.policies.app_id is 'Null: for every application';
comment on column controlplane.policies.user_id is 'Null: for every user';
