---@meta larder.families.csms.meta
-- Annotations only, for lua-language-server; never required.

--- Types of the family `csms`, so that `db:stores "csms"` completes and checks.

---@class larder.Db
---@field stores fun(self: larder.Db, family: "csms"): larder.csms.Stores

---@class larder.csms.Stores
---@field auth larder.csms.Auths
---@field settings larder.csms.SettingsStore
---@field install_certificates larder.csms.InstallCertificatesStore
---@field runtime_details larder.csms.RuntimeDetailsStore
---@field trigger_messages larder.csms.TriggerMessages
---@field tokens larder.csms.Tokens
---@field transactions larder.csms.Transactions
---@field certificates larder.csms.Certificates
---@field ocpi larder.csms.Ocpi
---@field ocpi_parties larder.Store
---@field locations larder.csms.Locations
---@field data_transfers larder.csms.Commands
---@field clear_caches larder.csms.Commands
---@field change_availabilities larder.csms.Commands
---@field certificate_queries larder.csms.Commands
---@field certificate_deletions larder.csms.Commands
---@field remote_start_transaction_requests larder.csms.Commands
---@field remote_stop_transaction_requests larder.csms.Commands
---@field firmware_update_requests larder.csms.Commands
---@field diagnostics_requests larder.csms.Commands
---@field log_requests larder.csms.Commands
---@field reset_requests larder.csms.Requests
---@field unlock_connector_requests larder.csms.Requests
---@field firmware_update_statuses larder.csms.Requests
---@field diagnostics_statuses larder.csms.Requests
---@field publish_firmware_statuses larder.csms.Requests
---@field log_statuses larder.csms.Requests
---@field connector_statuses larder.csms.ConnectorStatuses
---@field station_statuses larder.csms.StationStatuses
---@field charging_profiles larder.csms.ChargingProfiles
---@field local_lists larder.csms.LocalLists
---@field local_list_versions larder.csms.Requests
---@field reservations larder.csms.Reservations
---@field meter_values larder.csms.MeterValues
---@field display_messages larder.csms.DisplayMessages
---@field variable_monitoring larder.csms.Monitors
---@field station_events larder.csms.History
---@field device_reports larder.csms.History
---@field counters larder.csms.Counters

---@class larder.csms.Auth
---@field charge_station_id? string
---@field security_profile? integer  0: basic auth; 1: TLS and basic auth; 2: TLS and a client certificate
---@field base64_sha256_password? string
---@field invalid_username_allowed? boolean
---@field created_at? string
---@field updated_at? string

---@class larder.csms.Auths: larder.Store
---@field set fun(self, s: string, auth: larder.csms.Auth): larder.csms.Auth|nil, larder.Error?
---@field lookup fun(self, s: string): larder.csms.Auth|nil, larder.Error?

---@class larder.csms.Setting
---@field value string
---@field status? "Pending"|"Accepted"|"Rejected"|"RebootRequired"|"NotSupported"
---@field send_after? string|number  absent: at once

---@class larder.csms.Settings
---@field charge_station_id string
---@field settings table<string, larder.csms.Setting>
---@field created_at? string
---@field updated_at? string

---@class larder.csms.SettingsStore: larder.Store
---@field update fun(self, s: string, settings: table<string, larder.csms.Setting>|larder.csms.Settings): larder.csms.Settings|nil, larder.Error?
---@field lookup fun(self, s: string): larder.csms.Settings|nil, larder.Error?
---@field list fun(self, page_size: integer, previous?: string): larder.csms.Settings[]|nil, larder.Error?

---@class larder.csms.InstallCertificate
---@field certificate_id string
---@field certificate_type "ChargeStation"|"EVCC"|"V2G"|"MO"|"MF"|"CSMS"
---@field certificate_data string
---@field certificate_installation_status? "Pending"|"Accepted"|"Rejected"
---@field send_after? string|number  absent: at once

---@class larder.csms.InstallCertificates
---@field charge_station_id string
---@field certificates larder.csms.InstallCertificate[]

---@class larder.csms.InstallCertificatesStore: larder.Store
---@field update fun(self, s: string, list: larder.csms.InstallCertificate[]|larder.csms.InstallCertificates): true|nil, larder.Error?
---@field lookup fun(self, s: string): larder.csms.InstallCertificates|nil, larder.Error?
---@field list fun(self, page_size: integer, previous?: string): larder.csms.InstallCertificates[]|nil, larder.Error?

---@class larder.csms.RuntimeDetails
---@field charge_station_id? string
---@field ocpp_version string
---@field firmware_version? string
---@field model? string
---@field vendor? string
---@field serial_number? string
---@field created_at? string
---@field updated_at? string

---@class larder.csms.RuntimeDetailsStore: larder.Store
---@field set fun(self, s: string, details: larder.csms.RuntimeDetails): larder.csms.RuntimeDetails|nil, larder.Error?
---@field lookup fun(self, s: string): larder.csms.RuntimeDetails|nil, larder.Error?

---@class larder.csms.TriggerMessage
---@field charge_station_id? string
---@field trigger_message string
---@field trigger_status? "Pending"|"Accepted"|"Rejected"|"NotImplemented"
---@field connector_id? integer
---@field send_after? string|number  absent: at once
---@field created_at? string
---@field updated_at? string

---@class larder.csms.TriggerMessages: larder.Store
---@field set fun(self, s: string, message: larder.csms.TriggerMessage): larder.csms.TriggerMessage|nil, larder.Error?
---@field lookup fun(self, s: string): larder.csms.TriggerMessage|nil, larder.Error?
---@field list fun(self, page_size: integer, previous?: string): larder.csms.TriggerMessage[]|nil, larder.Error?

---@class larder.csms.Token
---@field uid string
---@field country_code string
---@field party_id string
---@field type "AD_HOC_USER"|"APP_USER"|"OTHER"|"RFID"
---@field contract_id string
---@field visual_number? string
---@field issuer string
---@field group_id? string
---@field valid? boolean  true by default
---@field language_code? string
---@field cache_mode "ALWAYS"|"ALLOWED"|"ALLOWED_OFFLINE"|"NEVER"
---@field last_updated? string|number  now by default
---@field created_at? string
---@field updated_at? string

---@class larder.csms.Tokens: larder.Store
---@field set fun(self, token: larder.csms.Token): larder.csms.Token|nil, larder.Error?
---@field lookup fun(self, uid: string): larder.csms.Token|nil, larder.Error?
---@field list fun(self, offset?: integer, limit?: integer): larder.csms.Token[]|nil, larder.Error?

---@class larder.csms.UnitOfMeasure
---@field unit? string
---@field multipler? integer  decimal exponent; spelled so in all data there is

---@class larder.csms.SampledValue
---@field value number
---@field context? string
---@field location? string
---@field measurand? string
---@field phase? string
---@field unit_of_measure? larder.csms.UnitOfMeasure

---@class larder.csms.MeterValue
---@field timestamp string  RFC 3339, kept as it is
---@field sampled_values larder.csms.SampledValue[]

---@class larder.csms.Transaction
---@field charge_station_id string
---@field transaction_id string
---@field id_token? string     absent until the event that tells it
---@field token_type? string
---@field meter_values larder.csms.MeterValue[]
---@field start_seq_no integer
---@field ended_seq_no? integer  absent: has not ended
---@field updated_seq_no_count integer
---@field offline boolean
---@field last_cost? string    exact, four decimal places
---@field started_at string
---@field ended_at? string
---@field created_at string
---@field updated_at string

---@class larder.csms.Transactions: larder.Store
---@field create fun(self, s: string, tx: string, id_token: string, token_type: string, meter_values: larder.csms.MeterValue[]?, seq_no: integer, offline?: boolean): true|nil, larder.Error?
---@field update fun(self, s: string, tx: string, meter_values: larder.csms.MeterValue[]?): true|nil, larder.Error?
---@field finish fun(self, s: string, tx: string, id_token: string?, token_type: string?, meter_values: larder.csms.MeterValue[]?, seq_no: integer): true|nil, larder.Error?
---@field update_cost fun(self, s: string, tx: string, cost: number|string): true|nil, larder.Error?
---@field find fun(self, s: string, tx: string): larder.csms.Transaction|nil, larder.Error?
---@field find_active fun(self, s: string): larder.csms.Transaction|nil, larder.Error?
---@field list fun(self): larder.csms.Transaction[]|nil, larder.Error?
---@field list_for_station fun(self, s: string, opts?: { status?: string, from?: string|number, to?: string|number, limit?: integer, offset?: integer }): larder.csms.Transaction[]|nil, integer|larder.Error

---@class larder.csms.Certificates: larder.Store
---@field set fun(self, pem: string): string|nil, larder.Error?
---@field lookup fun(self, hash: string): string|nil, larder.Error?

---@class larder.csms.OcpiRegistration
---@field token? string
---@field status "registered"|"pending"
---@field created_at? string
---@field updated_at? string

---@class larder.csms.OcpiParty
---@field role string
---@field country_code string
---@field party_id string
---@field url string
---@field token string
---@field created_at? string
---@field updated_at? string

---@class larder.csms.Ocpi: larder.Store
---@field set_registration fun(self, token: string, registration: larder.csms.OcpiRegistration): larder.csms.OcpiRegistration|nil, larder.Error?
---@field get_registration fun(self, token: string): larder.csms.OcpiRegistration|nil, larder.Error?
---@field delete_registration fun(self, token: string): true|nil, integer|larder.Error
---@field set_party fun(self, party: larder.csms.OcpiParty): larder.csms.OcpiParty|nil, larder.Error?
---@field get_party fun(self, role: string, country_code: string, party_id: string): larder.csms.OcpiParty|nil, larder.Error?
---@field list_parties fun(self, role: string): larder.csms.OcpiParty[]|nil, larder.Error?

---@class larder.csms.Location
---@field id string
---@field name? string
---@field address string
---@field city string
---@field postal_code? string
---@field country string  alpha-3
---@field coordinates { latitude: string, longitude: string }
---@field parking_type? string
---@field evses? table[]  absent: not known; empty: none
---@field last_updated? string|number  now by default
---@field created_at? string
---@field updated_at? string

---@class larder.csms.Locations: larder.Store
---@field set fun(self, location: larder.csms.Location): larder.csms.Location|nil, larder.Error?
---@field lookup fun(self, id: string): larder.csms.Location|nil, larder.Error?
---@field list fun(self, offset?: integer, limit?: integer): larder.csms.Location[]|nil, larder.Error?

---@class larder.csms.Requests: larder.Store
---@field set fun(self, s: string, record: table): table|nil, larder.Error?
---@field lookup fun(self, s: string): table|nil, larder.Error?

---@class larder.csms.Commands: larder.csms.Requests
---@field list fun(self, page_size: integer, previous?: string): table[]|nil, larder.Error?

---@class larder.csms.ConnectorStatus
---@field charge_station_id? string
---@field connector_id? integer
---@field status "Available"|"Charging"|"Faulted"|"Finishing"|"Preparing"|"Reserved"|"SuspendedEV"|"SuspendedEVSE"|"Unavailable"|"Occupied"
---@field error_code? string  NoError by default
---@field info? string
---@field timestamp? string|number
---@field vendor_error_code? string
---@field vendor_id? string
---@field current_transaction_id? string
---@field updated_at? string

---@class larder.csms.ConnectorStatuses: larder.Store
---@field set fun(self, s: string, connector_id: integer, record: larder.csms.ConnectorStatus): larder.csms.ConnectorStatus|nil, larder.Error?
---@field lookup fun(self, s: string, connector_id: integer): larder.csms.ConnectorStatus|nil, larder.Error?
---@field list fun(self, s: string, filter?: { status?: string, error_code?: string }): larder.csms.ConnectorStatus[]|nil, larder.Error?

---@class larder.csms.StationStatuses: larder.csms.Requests
---@field heartbeat fun(self, s: string, time?: string|number): table|nil, larder.Error?

---@class larder.csms.SchedulePeriod
---@field start_period integer  seconds from the beginning
---@field limit number
---@field number_phases? integer

---@class larder.csms.ChargingSchedule
---@field rate_unit "W"|"A"
---@field periods larder.csms.SchedulePeriod[]
---@field duration? integer  seconds
---@field start_schedule? string
---@field min_charging_rate? number

---@class larder.csms.ChargingProfile
---@field charge_station_id? string
---@field charging_profile_id integer
---@field connector_id? integer  0, the whole station, by default
---@field transaction_id? integer
---@field stack_level? integer   0 by default
---@field purpose "TxProfile"|"TxDefaultProfile"|"ChargePointMaxProfile"
---@field kind "Absolute"|"Relative"|"Recurring"
---@field recurrency? "Daily"|"Weekly"
---@field valid_from? string|number
---@field valid_to? string|number
---@field schedule larder.csms.ChargingSchedule
---@field created_at? string
---@field updated_at? string

---@class larder.csms.ChargingProfiles: larder.Store
---@field set fun(self, s: string, profile: larder.csms.ChargingProfile): larder.csms.ChargingProfile|nil, larder.Error?
---@field lookup fun(self, s: string, id: integer): larder.csms.ChargingProfile|nil, larder.Error?
---@field list fun(self, s: string, filter?: { connector_id?: integer, purpose?: string, stack_level?: integer }): larder.csms.ChargingProfile[]|nil, larder.Error?
---@field clear fun(self, s: string, filter?: { charging_profile_id?: integer, connector_id?: integer, purpose?: string, stack_level?: integer }): integer|nil, larder.Error?
---@field composite_schedule fun(self, s: string, connector_id: integer, duration: integer, unit?: "W"|"A"): larder.csms.ChargingSchedule|nil, larder.Error?

---@class larder.csms.LocalListEntry
---@field id_tag string
---@field info? { status: "Accepted"|"Blocked"|"Expired"|"Invalid"|"ConcurrentTx", expiry_date?: string, parent_id_tag?: string }

---@class larder.csms.LocalLists: larder.Store
---@field version fun(self, s: string): integer|nil, larder.Error?
---@field update fun(self, s: string, version: integer, kind: "Full"|"Differential", entries: larder.csms.LocalListEntry[]): true|nil, larder.Error?
---@field list fun(self, s: string): larder.csms.LocalListEntry[]|nil, larder.Error?

---@class larder.csms.Reservation
---@field charge_station_id? string
---@field reservation_id integer
---@field connector_id integer
---@field id_tag string
---@field parent_id_tag? string
---@field expiry_date string|number
---@field status? "Accepted"|"Faulted"|"Occupied"|"Rejected"|"Unavailable"|"Cancelled"|"Expired"
---@field created_at? string
---@field updated_at? string

---@class larder.csms.Reservations: larder.Store
---@field create fun(self, s: string, reservation: larder.csms.Reservation): larder.csms.Reservation|nil, larder.Error?
---@field lookup fun(self, s: string, id: integer): larder.csms.Reservation|nil, larder.Error?
---@field cancel fun(self, s: string, id: integer): larder.csms.Reservation|nil, larder.Error?
---@field update_status fun(self, s: string, id: integer, status: string): larder.csms.Reservation|nil, larder.Error?
---@field list_active fun(self, s: string): larder.csms.Reservation[]|nil, larder.Error?
---@field get_by_connector fun(self, s: string, connector_id: integer): larder.csms.Reservation|nil, larder.Error?
---@field expire fun(self): integer|nil, larder.Error?

---@class larder.csms.StoredMeterValue
---@field charge_station_id string
---@field id integer
---@field evse_id integer
---@field transaction_id? string
---@field measured_at string  the timestamp in UTC, to the microsecond
---@field meter_value larder.csms.MeterValue  as it was sent

---@class larder.csms.MeterValues: larder.Store
---@field store fun(self, s: string, evse_id: integer, transaction_id: string?, values: larder.csms.MeterValue[]): integer|nil, larder.Error?
---@field get fun(self, s: string, evse_id: integer, limit?: integer): larder.csms.StoredMeterValue[]|nil, larder.Error?
---@field query fun(self, s: string, filter?: table): larder.csms.StoredMeterValue[]|nil, integer|larder.Error

---@class larder.csms.DisplayMessage
---@field charge_station_id? string
---@field id integer
---@field priority "NormalCycle"|"InFront"|"AlwaysFront"
---@field state? "Charging"|"Faulted"|"Idle"|"Unavailable"
---@field start_time? string|number
---@field end_time? string|number
---@field transaction_id? string
---@field message { content: string, format: "ASCII"|"HTML"|"URI", language?: string }
---@field created_at? string
---@field updated_at? string

---@class larder.csms.DisplayMessages: larder.Store
---@field set fun(self, s: string, message: larder.csms.DisplayMessage): larder.csms.DisplayMessage|nil, larder.Error?
---@field lookup fun(self, s: string, id: integer): larder.csms.DisplayMessage|nil, larder.Error?
---@field list fun(self, s: string, filter?: { state?: string, priority?: string }): larder.csms.DisplayMessage[]|nil, larder.Error?
---@field delete_all fun(self, s: string): integer|nil, larder.Error?

---@class larder.csms.Monitor
---@field charge_station_id? string
---@field id? integer  absent or 0: the station's next one
---@field component_name string
---@field component_instance? string
---@field variable_name string
---@field variable_instance? string
---@field monitor_type "UpperThreshold"|"LowerThreshold"|"Delta"|"Periodic"|"PeriodicClockAligned"
---@field value number
---@field severity integer  0 to 9
---@field transaction? boolean
---@field created_at? string
---@field updated_at? string

---@class larder.csms.Monitors: larder.Store
---@field set fun(self, s: string, monitor: larder.csms.Monitor): larder.csms.Monitor|nil, larder.Error?
---@field lookup fun(self, s: string, id: integer): larder.csms.Monitor|nil, larder.Error?
---@field list fun(self, s: string, offset?: integer, limit?: integer): larder.csms.Monitor[]|nil, larder.Error?

---@class larder.csms.History: larder.Store
---@field add fun(self, s: string, record: table): table|nil, larder.Error?
---@field list fun(self, s: string, offset?: integer, limit?: integer): table[]|nil, integer|larder.Error

---@class larder.csms.Counters: larder.Store
---@field next fun(self, s: string, name: string): integer|nil, larder.Error?
---@field at_least fun(self, s: string, name: string, n: integer): integer|nil, larder.Error?
