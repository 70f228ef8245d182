-- The time, as a value that was not there before.
local function now()
  return require("os").date("!%Y-%m-%dT%H:%M:%SZ")
end
