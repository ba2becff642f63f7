-- Places with their EVSEs and connectors.
create table csms.locations (
  id            text collate "C"  not null,
  name          text collate "C",
  address       text collate "C"  not null,
  city          text collate "C"  not null,
  postal_code   text collate "C",
  country       text collate "C"  not null,
  coordinates   jsonb             not null,
  parking_type  text collate "C",
  evses         jsonb,
  last_updated  timestamptz       not null default now(),
  created_at    timestamptz       not null default now(),
  updated_at    timestamptz       not null default now(),
  constraint locations_pkey primary key (id),
  constraint locations_id_length check (char_length(id) between 1 and 48),
  constraint locations_name_length check (char_length(name) <= 255),
  constraint locations_address_length check (char_length(address) between 1 and 255),
  constraint locations_city_length check (char_length(city) between 1 and 255),
  constraint locations_postal_code_length check (char_length(postal_code) <= 10),
  constraint locations_country_length check (char_length(country) between 2 and 3),
  constraint locations_parking_type_length check (char_length(parking_type) <= 50)
);

comment on table csms.locations is 'Places with their EVSEs and connectors, as OCPI describes them';
comment on column csms.locations.evses is 'Null: not known; an empty list: there are none';
