-- Records of the family `csms` with everything that is required; `more` is laid over them.

local csms = {}

local function over(row, more)
  for name, value in pairs(more or {}) do row[name] = value end
  return row
end

function csms.token(uid, more)
  return over({
    uid = uid, country_code = "GB", party_id = "TWK", type = "RFID", contract_id = "GBTWK012345678V",
    issuer = "Thoughtworks", cache_mode = "ALWAYS",
  }, more)
end

function csms.location(id, more)
  return over({
    id = id, address = "F.Rooseveltlaan 3A", city = "Gent", country = "BEL",
    coordinates = { latitude = "51.047599", longitude = "3.729944" },
  }, more)
end

--- A meter value with one register in Wh.
function csms.meter_value(timestamp, value)
  return {
    timestamp = timestamp,
    sampled_values = { { value = value, measurand = "Energy.Active.Import.Register", context = "Sample.Periodic" } },
  }
end

function csms.certificate(id, more)
  return over({ certificate_id = id, certificate_type = "V2G", certificate_data = "data of " .. id }, more)
end

--- The values of one field of a list's rows, in their order.
function csms.column(field, list, err)
  local values = {}
  for i, row in ipairs(assert(list, err)) do values[i] = row[field] end
  return values
end

--- What an error says: its code, and a field that it names.
function csms.fault(err)
  return { err.code, (next(err.fields or {})) }
end

--- "cs001" …
function csms.station(i)
  return ("cs%03d"):format(i)
end

-- Two certificates and the hashes of their DER, made by openssl(1) and sha256sum(1).
csms.certificates = {
  {
    hash = "CRC459rn_w_XpylC8ILESzR1ZftKlUTZhuFKZxCHaI0",
    pem = [[
-----BEGIN CERTIFICATE-----
MIIBgDCCASWgAwIBAgIUP3UPkuixE2+QLaxK9rSGooSjpwAwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJc3RhdGlvbiBhMCAXDTI2MTEyNjE0NDgzOFoYDzIxMjYxMTAy
MTQ0ODM4WjAUMRIwEAYDVQQDDAlzdGF0aW9uIGEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASVdOR4eto40uaGCkJjp6VZ6ErmLs2u+3lTr4Y/mxt0w3CAsY5VFCzU
RS97UN1Ul0V1ONPJEBZXD/7vVYDtiR4ko1MwUTAdBgNVHQ4EFgQU2iLP2g9zztdA
ai03e1clEKDOkHAwHwYDVR0jBBgwFoAU2iLP2g9zztdAai03e1clEKDOkHAwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAjtiUZLqS9UgAu694s86K
pp7XYIf/lSxj+/XTwbh4ReQCIQCElFCR/daKBoqEWPybRnbKjxbO7hwll7Mfx9DO
5WTJ3g==
-----END CERTIFICATE-----
]],
  },
  {
    hash = "HeYFlp8ZY1obLOXttt3m160iipvtTJS24acrPW57fSg",
    pem = [[
-----BEGIN CERTIFICATE-----
MIIBfjCCASWgAwIBAgIUAtrmNsl9kxnu7I1+Tw18psMDxCMwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJc3RhdGlvbiBiMCAXDTI2MTEyNjE0NDgzOFoYDzIxMjYxMTAy
MTQ0ODM4WjAUMRIwEAYDVQQDDAlzdGF0aW9uIGIwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAR32JtBCIdhQJAbluQUrdTnel0kbf7PQrhoc2SfOb5YmeBBP+1lUNkM
jR1VPlVwo6URlzwwzywoBiFuF6JM2BQLo1MwUTAdBgNVHQ4EFgQUKLHjYctu2LCE
Q2gVfLKQV9wXrHMwHwYDVR0jBBgwFoAUKLHjYctu2LCEQ2gVfLKQV9wXrHMwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiA/33FShcPeI9dtBHV4/jjL
Hz5puRgO65FNQuoCPf1mfgIgc1/+Xr9pxfBGiekFQKI2Pu/FvYYvBa7SqL0SrP/f
ANU=
-----END CERTIFICATE-----
]],
  },
}

return csms
