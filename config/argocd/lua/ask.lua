-- The end of every action. Argo CD's API runs disabled actions too, so each one checks for itself whether it may.
local function ask(name, value, refusal)
  if value == nil then
    error(refusal, 0)
  end
  obj.metadata.annotations = obj.metadata.annotations or {}
  obj.metadata.annotations["qlik-operator.dev/" .. name] = value
  return obj
end
