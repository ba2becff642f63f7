-- Charging transactions: a history that outlives stations and tokens, so without references. Events come in any
-- order: a row may begin with any of them.
create table csms.transactions (
  charge_station_id     text              not null,
  transaction_id        text collate "C"  not null,
  id_token              text collate "C",
  token_type            text collate "C",
  meter_values          jsonb             not null default '[]',
  start_seq_no          integer           not null default 0,
  ended_seq_no          integer,
  updated_seq_no_count  integer           not null default 0,
  offline               boolean           not null default false,
  last_cost             numeric(12,4),
  started_at            timestamptz       not null default now(),
  ended_at              timestamptz,
  created_at            timestamptz       not null default now(),
  updated_at            timestamptz       not null default now(),
  constraint transactions_pkey primary key (charge_station_id, transaction_id),
  constraint transactions_charge_station_id_length check (char_length(charge_station_id) between 1 and 48),
  constraint transactions_transaction_id_length check (char_length(transaction_id) between 1 and 36),
  constraint transactions_id_token_length check (char_length(id_token) <= 36),
  constraint transactions_token_type_length check (char_length(token_type) <= 50)
);

create index transactions_started_idx
  on csms.transactions (charge_station_id, started_at desc, transaction_id);

comment on table csms.transactions is 'Charging transactions with their meter values';
comment on column csms.transactions.meter_values is 'As the station sent them, in the order of arrival';
comment on column csms.transactions.ended_seq_no is 'Null: has not ended; 0 is a number like any other';
comment on column csms.transactions.started_at is
  'Time of the first meter value, else when the first event came';
comment on column csms.transactions.ended_at is 'Time of the last meter value of the end, else when it came';
