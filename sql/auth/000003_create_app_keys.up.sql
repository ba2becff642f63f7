-- API keys of applications. The secret itself is never stored.
create table auth.app_keys (
  tenant_id    text                     not null,
  id           text collate "C"         not null,
  app_id       text collate "C"         not null,
  key_id       text collate "C"         not null,
  prefix       text collate "C"         not null,
  secret_hash  text collate "C"         not null,
  key_type     text collate "C"         not null default 'secret',
  environment  text collate "C"         not null default 'live',
  user_id      text collate "C",
  name         text collate "C"         not null,
  scopes       jsonb,
  metadata     jsonb,
  created_at   timestamptz              not null default now(),
  expires_at   timestamptz,
  last_used    timestamptz,
  revoked      boolean                  not null default false,
  revoked_at   timestamptz,
  constraint app_keys_pkey primary key (tenant_id, id),
  constraint fk_app_keys_app foreign key (tenant_id, app_id)
    references auth.apps (tenant_id, id)
    on delete cascade,
  constraint app_keys_tenant_id_length check (char_length(tenant_id) between 1 and 255),
  constraint app_keys_id_length check (char_length(id) between 1 and 255),
  constraint app_keys_app_id_length check (char_length(app_id) between 1 and 255),
  constraint app_keys_key_id_length check (char_length(key_id) between 1 and 255),
  constraint app_keys_prefix_length check (char_length(prefix) between 1 and 50),
  constraint app_keys_secret_hash_length check (char_length(secret_hash) >= 1),
  constraint app_keys_key_type_length check (char_length(key_type) between 1 and 50),
  constraint app_keys_environment_check check (environment in ('live', 'test')),
  constraint app_keys_user_id_length check (char_length(user_id) <= 255),
  constraint app_keys_name_length check (char_length(name) between 1 and 255)
);

create index app_keys_created_idx on auth.app_keys (tenant_id, created_at desc, id);
create index app_keys_by_app_idx on auth.app_keys (tenant_id, app_id, created_at desc, id);
create index app_keys_by_user_idx on auth.app_keys (tenant_id, user_id) where user_id is not null;

comment on table auth.app_keys is 'API keys; the part that names a key is public, the secret is kept as a hash';
comment on column auth.app_keys.key_id is 'Public name inside the key text';
comment on column auth.app_keys.last_used is 'Written in batches, so it may lag behind by some seconds';
