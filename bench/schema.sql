-- The table of the workloads: 100,000 users in 10 tenants, and an empty twin for the bulk load.
create schema bench;

create table bench.tenants (
  id   text collate "C" not null,
  name text collate "C" not null,
  constraint tenants_pkey primary key (id)
);

create table bench.users (
  tenant_id  text collate "C" not null,
  id         text collate "C" not null,
  username   text collate "C" not null,
  email      text collate "C" not null,
  status     text collate "C" not null,
  full_name  text collate "C" not null,
  metadata   jsonb            not null,
  created_at timestamptz      not null default now(),
  updated_at timestamptz      not null default now(),
  deleted_at timestamptz,
  constraint users_pkey primary key (tenant_id, id),
  constraint users_username_key unique (tenant_id, username),
  constraint users_email_key unique (tenant_id, email),
  constraint users_tenant_fkey foreign key (tenant_id) references bench.tenants (id) on delete cascade
);

create table bench.bulk (
  tenant_id  text collate "C" not null,
  id         text collate "C" not null,
  username   text collate "C" not null,
  email      text collate "C" not null,
  status     text collate "C" not null,
  full_name  text collate "C" not null,
  metadata   jsonb            not null,
  created_at timestamptz      not null default now(),
  updated_at timestamptz      not null default now(),
  deleted_at timestamptz,
  constraint bulk_pkey primary key (tenant_id, id),
  constraint bulk_username_key unique (tenant_id, username),
  constraint bulk_email_key unique (tenant_id, email),
  constraint bulk_tenant_fkey foreign key (tenant_id) references bench.tenants (id) on delete cascade
);

insert into bench.tenants
select 'tenant-' || t, 'Tenant ' || t
  from generate_series(0, 9) t;

insert into bench.users
select 'tenant-' || k % 10, id, id, id || '@example.com', 'active', 'User Number ' || k,
       jsonb_build_object('role', 'editor', 'tags', '["a", "b"]'::jsonb, 'logins', k % 100, 'prefs', '{"theme": "dark"}'::jsonb)
  from generate_series(0, 99999) k, lateral (select 'user-' || lpad(k::text, 6, '0') as id) n;

vacuum analyze;
