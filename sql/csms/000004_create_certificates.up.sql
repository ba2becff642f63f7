-- Certificates that gateways ask for by hash.
create table csms.certificates (
  certificate_hash  text collate "C"  not null,
  certificate_data  text collate "C"  not null,
  created_at        timestamptz       not null default now(),
  updated_at        timestamptz       not null default now(),
  constraint certificates_pkey primary key (certificate_hash),
  constraint certificates_certificate_hash_length check (char_length(certificate_hash) between 1 and 64),
  constraint certificates_certificate_data_length check (char_length(certificate_data) >= 1)
);

comment on table csms.certificates is 'Certificates by the hash of their DER';
comment on column csms.certificates.certificate_hash is 'SHA-256 of the DER in base64url without padding';
