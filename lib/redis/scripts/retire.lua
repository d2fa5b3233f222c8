-- holder storeId
-- The holder has given up all it held and goes. EPOCH <id>, HELD <entries> when it has not, or OK.
local holder, storeId = ARGV[2], ARGV[3]

if store.id ~= storeId then return { 'EPOCH', store.id } end
local entries = heldBy(holder)
if entries > 0 then return { 'HELD', entries } end
forgetHolder(holder)
if store.own == holder then disown() end
return { 'OK' }
