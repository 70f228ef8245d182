-- A look at Qlik Cloud now instead of at the next interval.
local function reconcile()
  if spec.suspend then
    return nil, "spec.suspend is set: the operator does not look at this object"
  end
  return now("requested-at")
end
