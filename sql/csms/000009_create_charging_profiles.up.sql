-- Charging profiles.
create table csms.charging_profiles (
  charge_station_id    text              not null,
  charging_profile_id  integer           not null,
  connector_id         integer           not null default 0,
  transaction_id       integer,
  stack_level          integer           not null default 0,
  purpose              text collate "C"  not null,
  kind                 text collate "C"  not null,
  recurrency           text collate "C",
  valid_from           timestamptz,
  valid_to             timestamptz,
  schedule             jsonb             not null,
  created_at           timestamptz       not null default now(),
  updated_at           timestamptz       not null default now(),
  constraint charging_profiles_pkey primary key (charge_station_id, charging_profile_id),
  constraint charging_profiles_charge_station_id_length
    check (char_length(charge_station_id) between 1 and 48),
  constraint charging_profiles_connector_id_range check (connector_id >= 0),
  constraint charging_profiles_stack_level_range check (stack_level >= 0),
  constraint charging_profiles_purpose_check
    check (purpose in ('TxProfile', 'TxDefaultProfile', 'ChargePointMaxProfile')),
  constraint charging_profiles_kind_check check (kind in ('Absolute', 'Relative', 'Recurring')),
  constraint charging_profiles_recurrency_check check (recurrency in ('Daily', 'Weekly'))
);

comment on table csms.charging_profiles is
  'How much a station, a connector or a transaction may draw, and when';
comment on column csms.charging_profiles.connector_id is '0: the whole station';
