-- Degraded fails a sync for good, so it is only for what stays as it is until a human acts. Whatever passes by itself is
-- Progressing. An object that is being deleted is Progressing too, which Argo CD says without asking here.

if spec.suspend then
  return { status = "Suspended", message = "spec.suspend is set: the operator does nothing" }
end

local ready = condition("Ready")
if ready == nil then
  return { status = "Progressing", message = "the operator has not seen this manifest yet" }
end

if holds("Ready") then
  -- Also a tenant that is deactivated as declared; the message names the day of its purge.
  return { status = "Healthy", message = ready.message }
end

local message = ready.reason .. ": " .. ready.message
if not holds("Stalled") then
  return { status = "Progressing", message = message }
end
if ready.reason == "VerificationPending" then
  -- Nothing is wrong: the manifest asks for a human who tries the login.
  return { status = "Suspended", message = message }
end
return { status = "Degraded", message = message }
