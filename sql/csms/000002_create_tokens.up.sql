-- Tokens of drivers. They belong to no station.
create table csms.tokens (
  uid            text collate "C"  not null,
  country_code   text collate "C"  not null,
  party_id       text collate "C"  not null,
  type           text collate "C"  not null,
  contract_id    text collate "C"  not null,
  visual_number  text collate "C",
  issuer         text collate "C"  not null,
  group_id       text collate "C",
  valid          boolean           not null default true,
  language_code  text collate "C",
  cache_mode     text collate "C"  not null,
  last_updated   timestamptz       not null default now(),
  created_at     timestamptz       not null default now(),
  updated_at     timestamptz       not null default now(),
  constraint tokens_pkey primary key (uid),
  constraint tokens_uid_length check (char_length(uid) between 1 and 36),
  constraint tokens_country_code_length check (char_length(country_code) = 2),
  constraint tokens_party_id_length check (char_length(party_id) between 1 and 3),
  constraint tokens_type_check check (type in ('AD_HOC_USER', 'APP_USER', 'OTHER', 'RFID')),
  constraint tokens_contract_id_length check (char_length(contract_id) between 1 and 255),
  constraint tokens_visual_number_length check (char_length(visual_number) <= 64),
  constraint tokens_issuer_length check (char_length(issuer) between 1 and 255),
  constraint tokens_group_id_length check (char_length(group_id) <= 36),
  constraint tokens_language_code_length check (char_length(language_code) <= 2),
  constraint tokens_cache_mode_check check (cache_mode in ('ALWAYS', 'ALLOWED', 'ALLOWED_OFFLINE', 'NEVER'))
);

create index tokens_contract_idx on csms.tokens (contract_id, uid);

comment on table csms.tokens is 'Tokens that drivers identify themselves with';
