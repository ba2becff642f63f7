-- larder: only plain
-- Uniques that do not contain the organization: a table distributed by organization cannot have them.
alter table controlplane.organizations
  add constraint unique_org_slug unique (slug);

alter table controlplane.applications
  add constraint unique_application_id unique (id),
  add constraint unique_api_key_hash unique (api_key_hash),
  add constraint unique_api_key_id unique (api_key_id);

alter table controlplane.users
  add constraint unique_user_id unique (id),
  add constraint unique_cognito_sub unique (cognito_sub);

alter table controlplane.policies
  add constraint unique_policy_id unique (id);

alter table controlplane.inference_requests
  add constraint unique_inference_request_id unique (id),
  add constraint unique_request_id unique (request_id);
