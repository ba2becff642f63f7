-- Users and which applications they may use.
create table auth.users (
  tenant_id      text                     not null,
  id             text collate "C"         not null,
  username       text collate "C"         not null,
  email          text collate "C"         not null,
  full_name      text collate "C"         default '',
  status         text collate "C"         not null default 'active',
  password_hash  text collate "C",
  metadata       jsonb,
  created_at     timestamptz              not null default now(),
  updated_at     timestamptz              not null default now(),
  deleted_at     timestamptz,
  constraint users_pkey primary key (tenant_id, id),
  constraint unique_username_per_tenant unique (tenant_id, username),
  constraint unique_email_per_tenant unique (tenant_id, email),
  constraint fk_users_tenant foreign key (tenant_id)
    references auth.tenants (id)
    on delete cascade,
  constraint users_tenant_id_length check (char_length(tenant_id) between 1 and 255),
  constraint users_id_length check (char_length(id) between 1 and 255),
  constraint users_username_length check (char_length(username) between 1 and 255),
  constraint users_email_length check (char_length(email) between 1 and 255),
  constraint users_full_name_length check (char_length(full_name) <= 255),
  constraint users_status_check check (status in ('active', 'suspended', 'deleted'))
);

create index users_created_idx on auth.users (tenant_id, created_at desc, id);
create index users_status_idx on auth.users (tenant_id, status, created_at desc, id);
create index users_deleted_idx on auth.users (tenant_id, deleted_at) where deleted_at is not null;

comment on table auth.users is 'People and machines of a tenant';
comment on column auth.users.password_hash is 'Argon2id; null: no password can be used';
comment on column auth.users.deleted_at is 'Set by soft_delete together with status deleted';

create table auth.user_apps (
  tenant_id   text                     not null,
  app_id      text collate "C"         not null,
  user_id     text collate "C"         not null,
  status      text collate "C"         not null default 'active',
  granted_at  timestamptz              not null default now(),
  revoked_at  timestamptz,
  constraint user_apps_pkey primary key (tenant_id, app_id, user_id),
  constraint fk_user_apps_user foreign key (tenant_id, user_id)
    references auth.users (tenant_id, id)
    on delete cascade,
  constraint fk_user_apps_app foreign key (tenant_id, app_id)
    references auth.apps (tenant_id, id)
    on delete cascade,
  constraint user_apps_tenant_id_length check (char_length(tenant_id) between 1 and 255),
  constraint user_apps_app_id_length check (char_length(app_id) between 1 and 255),
  constraint user_apps_user_id_length check (char_length(user_id) between 1 and 255),
  constraint user_apps_status_check check (status in ('active', 'revoked'))
);

create index user_apps_by_user_idx on auth.user_apps (tenant_id, user_id, granted_at desc, app_id);
create index user_apps_by_app_idx on auth.user_apps (tenant_id, app_id, granted_at desc, user_id);

comment on table auth.user_apps is 'Access of a user to an application; a revoked grant stays as a record';
