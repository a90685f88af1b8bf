-- Replays requests that were signed beforehand, one wrk thread, and checks each answer. Settings and requests are read from the
-- files named on the command line; figures go to a third file, one "key value" per line.

local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } moment;
  int clock_gettime(int clock, moment *into);
  int getpid(void);
  int kill(int pid, int signal);
]]
local MONOTONIC, SIGINT = 1, 2

local function now()
  local moment = ffi.new("moment")
  ffi.C.clock_gettime(MONOTONIC, moment)
  return tonumber(moment.seconds) + tonumber(moment.nanoseconds) / 1e9
end

local function hex(text)
  return (text:gsub(".", function(character) return string.format("%02x", character:byte()) end))
end

local the_thread
function setup(thread) the_thread = thread end

local requests, settings, seen, wrong_kept = {}, {}, {}, false
sent, answered, wrong, distinct, exhausted, first_wrong, started, ended = 0, 0, 0, 0, 0, "", 0, 0

function init(arguments)
  for line in io.lines(arguments[1]) do
    local key, value = line:match("^(%S+) (.*)$")
    settings[key] = value
  end
  settings.stop_after = tonumber(settings.stop_after)
  if settings.exact then
    local whole = assert(io.open(settings.exact, "rb"))
    settings.exact = whole:read("*a")
    whole:close()
  end
  local file = assert(io.open(arguments[2], "rb"))
  while true do
    local length = file:read("*l")
    if not length then break end
    requests[#requests + 1] = file:read(tonumber(length))
  end
  file:close()
end

function request()
  if started == 0 then started = now() end
  sent = sent + 1
  if sent > #requests and settings.cycle ~= "yes" then exhausted = exhausted + 1 end
  return requests[(sent - 1) % #requests + 1]
end

function response(status, headers, body)
  if settings.stop_after and answered >= settings.stop_after then return end
  answered = answered + 1
  ended = now()
  local right
  if settings.exact then right = body == settings.exact else right = body:find(settings.expect) end
  if status ~= 200 or not right then
    wrong = wrong + 1
    if not wrong_kept then
      wrong_kept = true
      first_wrong = hex(status .. " " .. body:sub(1, 400))
    end
  elseif settings.distinct then
    for found in body:gmatch(settings.distinct) do
      if not seen[found] then
        seen[found] = true
        distinct = distinct + 1
      end
    end
  end
  if answered == settings.stop_after then
    wrk.thread:stop()
    ffi.C.kill(ffi.C.getpid(), SIGINT) -- wakes wrk's main thread, which else sleeps to the end of its duration
  end
end

function done(summary, latency, _)
  local out = assert(io.open(os.getenv("REPLAY_FIGURES"), "w"))
  for _, key in ipairs({ "sent", "answered", "wrong", "distinct", "exhausted", "started", "ended" }) do
    out:write(key, " ", string.format("%.6f", the_thread:get(key)), "\n")
  end
  out:write("first_wrong ", the_thread:get("first_wrong"), "\n")
  local errors = summary.errors
  out:write("socket_errors ", errors.connect + errors.read + errors.write + errors.timeout, "\n")
  out:write("p50 ", latency:percentile(50) / 1e6, "\n", "p99 ", latency:percentile(99) / 1e6, "\n")
  out:close()
end
