-- One report of one node. Everything the cluster's count consists of changes here, in one step, by the broker's clock.
-- What goes in and out is described where it is read and written: report.rs.
--
-- KEYS[1]  the prefix of all that is kept; put it in braces, and a Redis Cluster keeps it in one place:
--   :state     hash    what most reports need: last, when a report was last taken; top, the newest version; spared, until when
--                      nobody is taken out; and how many there are in :heard, :syncing, :reap and :dirty, as live, syncing,
--                      reaping and dirty
--   :nodes     hash    node -> epoch seq, of the newest report
--   :heard     zset    node -> when that was taken
--   :row:NODE  hash    key -> sockets anonymous
--   :sum       hash    key -> sockets anonymous rows since: the sum of all rows
--   :u:LIFE    set     key and user, of a node's life
--   :un:KEY    hash    user -> in how many lives
--   :syncing   set     nodes of which not all users are here yet
--   :reap      set     ended lives of which not all users are out yet
--   :ver       zset    key -> version
--   :pub       hash    key -> when it was last published
--   :dirty     set     keys that have changed since
--   :gone      zset    keys that nobody counts any more -> since when
-- ARGV     lease late answer few max_reaped channel requests, then the report

local P = KEYS[1]
local LEASE, LATE, ANSWER = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local FEW, MAX_REAPED = tonumber(ARGV[4]), tonumber(ARGV[5])
local CHANNEL, REQUESTS = ARGV[6], ARGV[7]
local node, epoch, seq, base = ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local stage, made, seen, rows = ARGV[12], tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15])
local FIRST_ROW = 16

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- A report that changes nothing shall cost the broker few commands.
local FIELDS = { 'last', 'top', 'spared', 'live', 'syncing', 'reaping', 'dirty' }
local state = redis.call('HMGET', P .. ':state', unpack(FIELDS))
for i, field in ipairs(FIELDS) do
  state[field] = tonumber(state[i] or '0')
end

-- Puts `member` into a set, or takes it out; `field` says how many are in it.
local function put(set, field, member)
  state[field] = state[field] + redis.call('SADD', P .. set, member)
end

local function take(set, field, member)
  if state[field] > 0 then
    state[field] = state[field] - redis.call('SREM', P .. set, member)
  end
end

local sums, touched, edges = {}, {}, {}

local function sum_of(key)
  local sum = sums[key]
  if not sum then
    local kept = redis.call('HGET', P .. ':sum', key)
    if kept then
      local s, a, r, since = string.match(kept, '^(%S+) (%S+) (%S+) (%S+)$')
      sum = { sockets = tonumber(s), anonymous = tonumber(a), rows = tonumber(r), since = tonumber(since) }
    else
      sum = { sockets = 0, anonymous = 0, rows = 0, since = now }
    end
    sums[key] = sum
  end
  return sum
end

local function add(key, sockets, anonymous, n)
  local sum = sum_of(key)
  sum.sockets = sum.sockets + sockets
  sum.anonymous = sum.anonymous + anonymous
  sum.rows = sum.rows + n
  touched[key] = true
end

local function row_of(kept)
  local sockets, anonymous = string.match(kept, '^(%S+) (%S+)$')
  return tonumber(sockets), tonumber(anonymous)
end

local function is_room(key)
  return string.find(key, ',', 1, true) ~= nil
end

-- A user has come or left, of which all nodes are told: of a room, nobody wants to know.
local function edge(key, user, is_here)
  if not is_room(key) then
    table.insert(edges, { key, user, is_here })
  end
end

local function come(life, key, user)
  if redis.call('SADD', P .. ':u:' .. life, #key .. ':' .. key .. user) == 1 then
    touched[key] = true
    if redis.call('HINCRBY', P .. ':un:' .. key, user, 1) == 1 then
      edge(key, user, '1')
    end
  end
end

local function out(key, user)
  touched[key] = true
  if redis.call('HINCRBY', P .. ':un:' .. key, user, -1) <= 0 then
    redis.call('HDEL', P .. ':un:' .. key, user)
    edge(key, user, '0')
  end
end

local function leave(life, key, user)
  if redis.call('SREM', P .. ':u:' .. life, #key .. ':' .. key .. user) == 1 then
    out(key, user)
  end
end

local function end_users(life)
  if redis.call('EXISTS', P .. ':u:' .. life) == 1 then
    put(':reap', 'reaping', life)
  end
end

local function take_out(gone)
  local kept = redis.call('HGETALL', P .. ':row:' .. gone)
  for i = 1, #kept, 2 do
    local sockets, anonymous = row_of(kept[i + 1])
    add(kept[i], -sockets, -anonymous, -1)
  end
  redis.call('DEL', P .. ':row:' .. gone)
  local life = redis.call('HGET', P .. ':nodes', gone)
  if life then
    end_users(gone .. ':' .. string.match(life, '^(%S+) '))
  end
  redis.call('HDEL', P .. ':nodes', gone)
  state.live = state.live - redis.call('ZREM', P .. ':heard', gone)
  take(':syncing', 'syncing', gone)
end

-- Nobody could report for so long: it is the broker that was away, and nobody is to blame.
if state.live > 0 and state.last + LATE <= now then
  state.spared = now + LEASE
end

-- Nodes that have been silent: those whose lease has ended are taken out, the others may be gone, unless this is their report.
local late, was_late = {}, false
local silent = redis.call('ZRANGEBYSCORE', P .. ':heard', '-inf', now - LATE, 'WITHSCORES')
for i = 1, #silent, 2 do
  if math.max(tonumber(silent[i + 1]) + LEASE, state.spared) <= now then
    take_out(silent[i])
  elseif silent[i] == node then
    was_late = true
  else
    table.insert(late, silent[i])
  end
end

-- Whether the report fits what is known of its node.
local kept_epoch, kept_seq
local kept = redis.call('HGET', P .. ':nodes', node)
if kept then
  local e, s = string.match(kept, '^(%S+) (%S+)$')
  kept_epoch, kept_seq = tonumber(e), tonumber(s)
end
local begins = string.sub(stage, 1, 6) == 'begins'
local verdict = 'accepted'
if made > 0 and made + ANSWER < now then
  verdict = 'late'
elseif kept and (epoch < kept_epoch or (epoch == kept_epoch and seq <= kept_seq)) then
  verdict = 'late'
elseif begins and redis.call('SISMEMBER', P .. ':reap', node .. ':' .. epoch) == 1 then
  -- Its users are on their way out: whoever is here has to come in another life.
  verdict = 'unknown'
elseif not begins and (not kept or epoch ~= kept_epoch or kept_seq < base) then
  verdict = 'unknown'
end

if verdict == 'accepted' then
  state.last = now
end
if verdict == 'accepted' and stage == 'ends' then
  take_out(node)
elseif verdict == 'accepted' then
  if kept and epoch ~= kept_epoch then
    take_out(node)
  end
  local life = node .. ':' .. epoch
  local at = FIRST_ROW
  for _ = 1, rows do
    local key, sockets, anonymous = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
    at = at + 3
    local had = redis.call('HGET', P .. ':row:' .. node, key)
    local had_sockets, had_anonymous = 0, 0
    if had then
      had_sockets, had_anonymous = row_of(had)
    end
    if sockets < 0 then
      if had then
        redis.call('HDEL', P .. ':row:' .. node, key)
        add(key, -had_sockets, -had_anonymous, -1)
      end
    elseif not had or had_sockets ~= sockets or had_anonymous ~= anonymous then
      redis.call('HSET', P .. ':row:' .. node, key, sockets .. ' ' .. anonymous)
      add(key, sockets - had_sockets, anonymous - had_anonymous, had and 0 or 1)
    end
  end
  while at <= #ARGV do
    if ARGV[at + 2] == '1' then
      come(life, ARGV[at], ARGV[at + 1])
    else
      leave(life, ARGV[at], ARGV[at + 1])
    end
    at = at + 3
  end
  redis.call('HSET', P .. ':nodes', node, epoch .. ' ' .. seq)
  state.live = state.live + redis.call('ZADD', P .. ':heard', now, node)
  if string.sub(stage, -4) == 'more' then
    put(':syncing', 'syncing', node)
  else
    take(':syncing', 'syncing', node)
  end
end

-- Users of ended lives, a part of them at a time.
local budget = MAX_REAPED
while budget > 0 and state.reaping > 0 do
  local life = redis.call('SRANDMEMBER', P .. ':reap')
  local taken = redis.call('SPOP', P .. ':u:' .. life, budget)
  for _, entry in ipairs(taken) do
    local len, rest = string.match(entry, '^(%d+):(.*)$')
    out(string.sub(rest, 1, tonumber(len)), string.sub(rest, tonumber(len) + 1))
  end
  if #taken < budget then
    take(':reap', 'reaping', life)
  end
  budget = budget - #taken
end

-- What has changed.
for key in pairs(touched) do
  local sum = sum_of(key)
  if sum.rows > 0 then
    local text = sum.sockets .. ' ' .. sum.anonymous .. ' ' .. sum.rows .. ' ' .. sum.since
    redis.call('HSET', P .. ':sum', key, text)
    redis.call('ZREM', P .. ':gone', key)
  else
    redis.call('HDEL', P .. ':sum', key)
    redis.call('ZADD', P .. ':gone', now, key)
  end
  state.top = math.max(state.top + 1, now)
  redis.call('ZADD', P .. ':ver', state.top, key)
  put(':dirty', 'dirty', key)
end
-- What is left of keys that nobody has counted for a minute. That can wait for one report in ten.
if seq % 10 == 0 then
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', P .. ':gone', '-inf', now - 60000, 'LIMIT', 0, 100)) do
    redis.call('ZREM', P .. ':gone', key)
    redis.call('ZREM', P .. ':ver', key)
    redis.call('HDEL', P .. ':pub', key)
  end
end

local function push_total(list, key, version)
  local sum = sum_of(key)
  local users, since = 0, 0
  if sum.rows > 0 then
    users, since = sum.anonymous + redis.call('HLEN', P .. ':un:' .. key), sum.since
  end
  for _, value in ipairs({ key, sum.sockets, users, version, since }) do
    table.insert(list, tostring(value))
  end
end

if was_late and verdict ~= 'accepted' then
  table.insert(late, node)
end
local unsettled = state.syncing + state.reaping

-- What all nodes are told, as far as the rate allows.
-- Between two publications of a key: more time where more nodes are told.
local gap = math.max(math.min(state.live, 100) * 2.5, FEW)
local wait = 0
local news, told = {}, 0
for _, key in ipairs(state.dirty > 0 and redis.call('SMEMBERS', P .. ':dirty') or {}) do
  local next = tonumber(redis.call('HGET', P .. ':pub', key) or '0') + gap
  -- A clock that was set back must not silence anybody.
  if now < next and next <= now + gap then
    wait = wait == 0 and math.ceil(next - now) or math.min(wait, math.ceil(next - now))
  else
    push_total(news, key, redis.call('ZSCORE', P .. ':ver', key))
    told = told + 1
    redis.call('HSET', P .. ':pub', key, now)
    take(':dirty', 'dirty', key)
  end
end
if told > 0 or #edges > 0 then
  table.insert(news, 1, tostring(#late + unsettled))
  table.insert(news, 2, tostring(told))
  table.insert(news, tostring(#edges))
  for _, edge in ipairs(edges) do
    for _, value in ipairs(edge) do
      table.insert(news, value)
    end
  end
  redis.call('PUBLISH', CHANNEL, cjson.encode(news))
end

local changed = {}
for i, field in ipairs(FIELDS) do
  if state[field] ~= tonumber(state[i] or '0') then
    table.insert(changed, field)
    table.insert(changed, state[field])
  end
end
if #changed > 0 then
  redis.call('HSET', P .. ':state', unpack(changed))
end

if verdict ~= 'accepted' then
  return { verdict }
end

-- What the node has not seen yet.
if seen > state.top then
  seen = 0
end
local reply = { verdict, tostring(now), tostring(state.top), tostring(state.live) }
table.insert(reply, tostring(#late))
table.insert(reply, tostring(unsettled))
table.insert(reply, tostring(wait))
local newer = seen < state.top and redis.call('ZRANGEBYSCORE', P .. ':ver', '(' .. seen, '+inf', 'WITHSCORES') or {}
table.insert(reply, tostring(#newer / 2))
for i = 1, #newer, 2 do
  push_total(reply, newer[i], newer[i + 1])
end

local doubtful, doubted = {}, 0
for _, quiet in ipairs(late) do
  local kept = redis.call('HGETALL', P .. ':row:' .. quiet)
  for i = 1, #kept, 2 do
    local sockets = row_of(kept[i + 1])
    if sockets > 0 then
      doubted = doubted + (doubtful[kept[i]] and 0 or 1)
      doubtful[kept[i]] = (doubtful[kept[i]] or 0) + sockets
    end
  end
end
table.insert(reply, tostring(doubted))
for key, sockets in pairs(doubtful) do
  table.insert(reply, key)
  table.insert(reply, tostring(sockets))
end

-- Namespaces with more servers than report: of a room, nobody knows who would.
local strangers = {}
for _, key in ipairs(redis.call('HKEYS', P .. ':row:' .. node)) do
  if not is_room(key) then
    local servers = redis.call('PUBSUB', 'NUMSUB', REQUESTS .. '#' .. key .. '#')[2]
    local more = tonumber(servers) - sum_of(key).rows
    if more > 0 then
      table.insert(strangers, key)
      table.insert(strangers, tostring(more))
    end
  end
end
table.insert(reply, tostring(#strangers / 2))
for _, value in ipairs(strangers) do
  table.insert(reply, value)
end
return reply
