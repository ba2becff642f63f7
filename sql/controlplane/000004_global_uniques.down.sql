-- larder: only plain
alter table controlplane.inference_requests
  drop constraint unique_request_id,
  drop constraint unique_inference_request_id;

alter table controlplane.policies
  drop constraint unique_policy_id;

alter table controlplane.users
  drop constraint unique_cognito_sub,
  drop constraint unique_user_id;

alter table controlplane.applications
  drop constraint unique_api_key_id,
  drop constraint unique_api_key_hash,
  drop constraint unique_application_id;

alter table controlplane.organizations
  drop constraint unique_org_slug;
