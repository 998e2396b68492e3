-- Posts the lines of a file in turn, or gets when no file is named; writes one line of JSON.

local requests = {}
local turn = 0

-- wrk looks for this function when the script is read, and then calls it before each request.
local pause_ms = tonumber(os.getenv("PAUSE_MS") or "0")
if pause_ms > 0 then
    function delay()
        return math.random(0, 2 * pause_ms)
    end
end

-- wrk calls this once for each thread: every thread loads a port of its own.
local ports = string.gmatch(os.getenv("PORTS") or "", "%d+")
function setup(thread)
    local port = ports()
    if port then
        thread.addr = wrk.lookup(wrk.host, port)[1]
    end
end

function init(arguments)
    if not arguments[1] then
        requests[1] = wrk.format("GET")
        return
    end
    local headers = { ["Content-Type"] = "application/json" }
    for line in io.lines(arguments[1]) do
        requests[#requests + 1] = wrk.format("POST", nil, headers, line)
    end
end

function request()
    turn = turn % #requests + 1
    return requests[turn]
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "duration_us": %d, "p50_us": %d, "p99_us": %d, "failures": %d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout
    ))
end
