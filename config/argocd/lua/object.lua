-- Put before every other script: what they all ask of an object. Argo CD gives scripts no string library.

local spec = obj.spec or {}
local status = obj.status or {}

-- A condition, if it speaks of the manifest as it stands now: what was true of a former one lets no wave pass.
local function condition(kind)
  for _, found in ipairs(status.conditions or {}) do
    if found.type == kind and found.observedGeneration == obj.metadata.generation then
      return found
    end
  end
  return nil
end

local function holds(kind)
  local found = condition(kind)
  return found ~= nil and found.status == "True"
end

local function annotation(name)
  return (obj.metadata.annotations or {})["qlik-operator.dev/" .. name]
end
