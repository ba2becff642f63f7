-- OCPI registrations and parties.
create table csms.ocpi_registrations (
  token       text collate "C"  not null,
  status      text collate "C"  not null,
  created_at  timestamptz       not null default now(),
  updated_at  timestamptz       not null default now(),
  constraint ocpi_registrations_pkey primary key (token),
  constraint ocpi_registrations_token_length check (char_length(token) between 1 and 255),
  constraint ocpi_registrations_status_check check (status in ('registered', 'pending'))
);

comment on table csms.ocpi_registrations is 'Registrations by token: a token is a secret';

create table csms.ocpi_parties (
  role          text collate "C"  not null,
  country_code  text collate "C"  not null,
  party_id      text collate "C"  not null,
  url           text collate "C"  not null,
  token         text collate "C"  not null,
  created_at    timestamptz       not null default now(),
  updated_at    timestamptz       not null default now(),
  constraint ocpi_parties_pkey primary key (role, country_code, party_id),
  constraint ocpi_parties_role_length check (char_length(role) between 1 and 50),
  constraint ocpi_parties_country_code_length check (char_length(country_code) = 2),
  constraint ocpi_parties_party_id_length check (char_length(party_id) between 1 and 3),
  constraint ocpi_parties_url_length check (char_length(url) between 1 and 1024),
  constraint ocpi_parties_token_length check (char_length(token) between 1 and 255)
);

comment on table csms.ocpi_parties is 'Parties by role, country and id';
comment on column csms.ocpi_parties.token is 'What the party is called with: a secret';
