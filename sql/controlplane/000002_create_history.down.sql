drop table controlplane.inference_requests;
drop table controlplane.audit_logs;
