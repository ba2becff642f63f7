alter table auth.app_keys
  drop constraint unique_key_id;

alter table auth.app_keys
  drop constraint unique_app_key_id;

alter table auth.tenants
  drop constraint unique_tenant_name;
