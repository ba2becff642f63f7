drop table csms.display_messages;
