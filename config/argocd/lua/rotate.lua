-- A new secret or key now; the former one works until the overlap is over.
local function rotate()
  local auth = spec.auth or {}
  local client = auth.clientSecret or (auth.privateKeyJwt or {}).generate
  local provider = ((spec.jwt or {}).key or {}).generate
  if client == nil and provider == nil then
    return nil, "the operator makes no secret or key for this object"
  end
  if spec.suspend then
    return nil, "spec.suspend is set: nothing is replaced"
  end
  if annotation("rotate-at") ~= status.lastHandledRotateAt then
    return nil, "a replacement is asked for already and not done yet"
  end
  return now("rotate-at")
end
