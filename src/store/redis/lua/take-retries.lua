-- Reports what one process paid into and took out of the fleet's budget, and leases retries to it.
--
-- KEYS[1]  amounts by slice of time, in millionths of a retry
-- KEYS[2]  the processes, by when they were last here
-- ARGV     1 deposited, 2 spent beyond its leases (both in millionths), 3 retries wanted, 4 the reserve in millionths,
--          5 the window in ms, 6 the process
--
-- Returns the retries leased, whole retries left, and how many processes there are. The server's clock counts.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local window = tonumber(ARGV[5])
local slice = math.floor(now / (window / 10))

local balance = ARGV[4] + ARGV[1] - ARGV[2]
local amounts = redis.call('HGETALL', KEYS[1])
for i = 1, #amounts, 2 do
  if tonumber(amounts[i]) <= slice - 10 then
    redis.call('HDEL', KEYS[1], amounts[i])
  else
    balance = balance + amounts[i + 1]
  end
end

redis.call('ZADD', KEYS[2], now, ARGV[6])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - window)
local processes = redis.call('ZCARD', KEYS[2])

-- What lies in leases is of no use to the others: half of what there is, divided by all, but one at least.
local whole = math.max(0, math.floor(balance / 1000000))
local leased = math.min(tonumber(ARGV[3]), whole, math.max(1, math.floor(whole / (2 * processes))))

redis.call('HINCRBY', KEYS[1], slice, ARGV[1] - ARGV[2] - leased * 1000000)
redis.call('PEXPIRE', KEYS[1], window * 2)
redis.call('PEXPIRE', KEYS[2], window * 2)
return { leased, whole - leased, processes }
