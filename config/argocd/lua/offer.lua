-- One entry of what Argo CD offers for an object; without a value to write it is shown as disabled.
local function offer(title, icon, value)
  return { ["disabled"] = value == nil, ["displayName"] = title, ["iconClass"] = "fa fa-fw " .. icon }
end
