-- Brings back a tenant that somebody else deactivated. One that the manifest deactivates is brought back by the manifest:
-- in Git, revert the commit.
local function reactivate()
  if spec.lifecycle == "Deactivated" then
    return nil, "the manifest declares this tenant Deactivated: write lifecycle: Active (in Git: revert the commit)"
  end
  if spec.suspend then
    return nil, "spec.suspend is set: nothing is brought back"
  end
  local stalled = condition("Stalled")
  if not holds("Stalled") or stalled.reason ~= "DeactivatedOutOfBand" then
    return nil, "nobody else has deactivated this tenant"
  end
  -- A tenant that was never taken over has no hostname of its own yet.
  local hostname = status.hostname or (spec.adopt or {}).hostname
  if hostname == nil then
    return nil, "the tenant's hostname is not known"
  end
  -- A consent that was used counts no more; a hostname with the dot at its end is the same and a new one.
  if hostname == status.lastHandledReactivate then
    return hostname .. "."
  end
  return hostname
end
