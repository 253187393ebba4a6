# The whole job on the telling lines of execution logs, all lines of Lambda logs and the failed rows of access logs:
# group by request, join each failed one to its invocation (Lambda request id, else trace id), name a coarse cause.
# For every answered request a line "route bin latency" goes out, to be sorted for the p99 by route and five minutes.

function ms(at) {
    return ((substr(at, 12, 2) * 60 + substr(at, 15, 2)) * 60 + substr(at, 18, 2)) * 1000 + substr(at, 21, 3)
}
function silence(at) {
    if (at - last_at > gap[call]) { gap[call] = at - last_at; before[call] = last_line }
    last_at = at
}
function cause_of(id,    limit, run, all) {
    if (failure[id] ~ /network error/) return "endpoint-unreachable"
    if (failure[id] ~ /Malformed/) return "application-error"
    if (failure[id] ~ /Rate Exceeded/) return "function-throttled"
    if (failure[id] ~ /Task timed out/) return "function-timeout"
    if (failure[id] !~ /timeout error/) return "undetermined"
    limit = ms(cut[id]) - ms(sent[id])
    call = (id in lambda) ? lambda[id] : by_trace[trace[id]]
    if (call == "") return "undetermined"
    if (call in killed) {
        return gap[call] > 1000 && before[call] ~ /DynamoDB|https?:|index:/ ? "stalled-call" : "function-hung"
    }
    run = duration[call]; all = run + init[call]
    if (all <= 29000) return "integration-timeout-too-low"
    return run < limit ? "cold-start" : "backend-slower-than-limit"
}

$1 == "{\"requestId\":"                  { split($0, part, "\""); refused[part[4]] = $0; next }
$1 == "XRAY"                             { by_trace[$3] = call; next }
$2 == "START"                            { call = $4; last_at = ms($1); last_line = ""; invocations++; next }
$2 == "[INFO]"                           { silence(ms($1)); last_line = $0; next }
$2 == "END"                              { silence(ms($1)); next }
$2 == "REPORT" {
    duration[call] = $6
    if (match($0, /Init Duration: [0-9.]+/)) init[call] = substr($0, RSTART + 15, RLENGTH - 15)
    if ($0 ~ /Status: timeout/) killed[call] = 1
    next
}
$2 !~ /^\(/                              { next }
{ id = substr($2, 2, 36); if (!(id in first) || $1 < first[id]) first[id] = $1 }
$3 == "HTTP"                             { route[id] = $5 $8 }
$3 == "Sending"                          { sent[id] = $1 }
$3 == "Received"                         { latency[id] = $(NF - 1) }
$3 == "Execution" || $3 == "Lambda"      { failure[id] = failure[id] $0; cut[id] = $1 }
$3 == "Method"                           { status[id] = $NF }
$3 == "AWS"                              { lambda[id] = $NF }
$3 == "X-ray"                            { trace[id] = $NF }

END {
    for (id in first) {
        requests++; sum += status[id]; waited += latency[id]
        if (status[id] >= 500) { failed++; causes[cause_of(id)]++; known += id in refused }
        if (latency[id] != "") print route[id] int(ms(first[id]) / 300000), latency[id]
    }
    printf "~{\"requests\": %d, \"failed\": %d, \"status_sum\": %d, \"integration_ms_sum\": %.0f, \"invocations\": %d,", requests, failed, sum, waited, invocations
    printf " \"access_failed\": %d, \"causes\": {", known
    for (cause in causes) { printf "%s\"%s\": %d", comma, cause, causes[cause]; comma = ", " }
    print "}"
}
