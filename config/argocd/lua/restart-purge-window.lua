-- Starts the countdown of a deactivated tenant anew, with the purgeAfterDays of now. The value is the date that it replaces,
-- so that the same request never counts twice.
local function restart_purge_window()
  local offboarding = spec.offboarding or {}
  if spec.lifecycle ~= "Deactivated" or status.phase ~= "Deactivated" or not holds("Ready") then
    return nil, "no countdown is running for this tenant"
  end
  if spec.suspend then
    return nil, "spec.suspend is set: nothing is called"
  end
  local purge_at = (status.purge or {}).purgeAt
  if purge_at == nil then
    return nil, "nobody knows when this tenant is purged"
  end
  local confirmed = false
  for _, hostname in ipairs(status.hostnames or {}) do
    confirmed = confirmed or hostname == offboarding.confirmHostname
  end
  if not confirmed then
    return nil, "offboarding.confirmHostname is not a hostname of this tenant"
  end
  if annotation("restart-purge-window") == purge_at then
    return nil, "the restart is asked for already"
  end
  return purge_at
end
