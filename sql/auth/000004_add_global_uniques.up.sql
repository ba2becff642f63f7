-- larder: only plain
-- Uniques that do not contain the tenant: a table distributed by tenant cannot have them.
alter table auth.tenants
  add constraint unique_tenant_name unique (name);

alter table auth.app_keys
  add constraint unique_app_key_id unique (id);

alter table auth.app_keys
  add constraint unique_key_id unique (key_id);
