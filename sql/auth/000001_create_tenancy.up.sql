-- Tenants, their applications and their branches.
create schema auth;

comment on schema auth is 'Tenants, applications, branches, users, access grants and API keys';

create table auth.tenants (
  id          text                     not null,
  name        text collate "C"         not null,
  domain      text collate "C"         default '',
  db_dsn      text collate "C"         not null,
  db_schema   text collate "C"         not null,
  status      text collate "C"         not null default 'active',
  config      jsonb,
  settings    jsonb,
  metadata    jsonb,
  created_at  timestamptz              not null default now(),
  updated_at  timestamptz              not null default now(),
  deleted_at  timestamptz,
  constraint tenants_pkey primary key (id),
  constraint tenants_id_length check (char_length(id) between 1 and 255),
  constraint tenants_name_length check (char_length(name) between 1 and 255),
  constraint tenants_domain_length check (char_length(domain) <= 255),
  constraint tenants_db_dsn_length check (char_length(db_dsn) >= 1),
  constraint tenants_db_schema_length check (char_length(db_schema) between 1 and 255),
  constraint tenants_status_check check (status in ('active', 'suspended', 'deleted'))
);

create index tenants_created_idx on auth.tenants (created_at desc, id collate "C");
create index tenants_status_idx on auth.tenants (status, created_at desc, id collate "C");
create index tenants_domain_idx on auth.tenants (domain) where domain is not null;
create index tenants_deleted_idx on auth.tenants (deleted_at) where deleted_at is not null;

comment on table auth.tenants is 'One row a customer; everything else of the family belongs to one of them';
comment on column auth.tenants.db_dsn is 'Connection string of the tenant''s own database: a secret';
comment on column auth.tenants.deleted_at is 'Set by soft_delete together with status deleted';

create table auth.apps (
  tenant_id   text                     not null,
  id          text collate "C"         not null,
  name        text collate "C"         not null,
  type        text collate "C"         not null default 'web',
  status      text collate "C"         not null default 'active',
  config      jsonb,
  metadata    jsonb,
  created_at  timestamptz              not null default now(),
  updated_at  timestamptz              not null default now(),
  constraint apps_pkey primary key (tenant_id, id),
  constraint unique_app_name_per_tenant unique (tenant_id, name),
  constraint fk_apps_tenant foreign key (tenant_id)
    references auth.tenants (id)
    on delete cascade,
  constraint apps_tenant_id_length check (char_length(tenant_id) between 1 and 255),
  constraint apps_id_length check (char_length(id) between 1 and 255),
  constraint apps_name_length check (char_length(name) between 1 and 255),
  constraint apps_type_check check (type in ('web', 'mobile', 'api', 'desktop', 'service')),
  constraint apps_status_check check (status in ('active', 'disabled'))
);

create index apps_created_idx on auth.apps (tenant_id, created_at desc, id);
create index apps_type_idx on auth.apps (tenant_id, type, created_at desc, id);

comment on table auth.apps is 'Applications of a tenant';

create table auth.branches (
  tenant_id   text                     not null,
  app_id      text collate "C"         not null,
  id          text collate "C"         not null,
  code        text collate "C"         not null,
  name        text collate "C"         not null,
  type        text collate "C"         not null default 'office',
  status      text collate "C"         not null default 'active',
  address     jsonb                    default '{}',
  contact     jsonb                    default '{}',
  settings    jsonb,
  metadata    jsonb,
  created_at  timestamptz              not null default now(),
  updated_at  timestamptz              not null default now(),
  constraint branches_pkey primary key (tenant_id, app_id, id),
  constraint unique_branch_code_per_app unique (tenant_id, app_id, code),
  constraint fk_branches_app foreign key (tenant_id, app_id)
    references auth.apps (tenant_id, id)
    on delete cascade,
  constraint branches_tenant_id_length check (char_length(tenant_id) between 1 and 255),
  constraint branches_app_id_length check (char_length(app_id) between 1 and 255),
  constraint branches_id_length check (char_length(id) between 1 and 255),
  constraint branches_code_length check (char_length(code) between 1 and 100),
  constraint branches_name_length check (char_length(name) between 1 and 255),
  constraint branches_type_check
    check (type in ('headquarters', 'regional', 'store', 'warehouse', 'franchise', 'office', 'other')),
  constraint branches_status_check check (status in ('active', 'disabled'))
);

create index branches_created_idx on auth.branches (tenant_id, app_id, created_at desc, id);
create index branches_type_idx on auth.branches (tenant_id, app_id, type, created_at desc, id);

comment on table auth.branches is 'Places where an application is used';
comment on column auth.branches.code is 'Short name for people, such as JKT-001';
