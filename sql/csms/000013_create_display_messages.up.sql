-- Messages that stations show.
create table csms.display_messages (
  charge_station_id  text              not null,
  id                 integer           not null,
  priority           text collate "C"  not null,
  state              text collate "C",
  start_time         timestamptz,
  end_time           timestamptz,
  transaction_id     text collate "C",
  message            jsonb             not null,
  created_at         timestamptz       not null default now(),
  updated_at         timestamptz       not null default now(),
  constraint display_messages_pkey primary key (charge_station_id, id),
  constraint display_messages_charge_station_id_length check (char_length(charge_station_id) between 1 and 48),
  constraint display_messages_id_range check (id >= 0),
  constraint display_messages_priority_check check (priority in ('NormalCycle', 'InFront', 'AlwaysFront')),
  constraint display_messages_state_check check (state in ('Charging', 'Faulted', 'Idle', 'Unavailable')),
  constraint display_messages_transaction_id_length check (char_length(transaction_id) <= 36)
);

comment on table csms.display_messages is 'Messages that stations show';
