# One row per request from the telling lines of execution logs, nothing more: what an engineer types when the console
# is too slow. Fields: time, (request id), words.

{ id = substr($2, 2, 36); if (!(id in first) || $1 < first[id]) first[id] = $1; if ($1 > last[id]) last[id] = $1 }
$3 == "HTTP"                             { route[id] = $5 $8 }
$3 == "Sending"                          { sent[id] = $1 }
$3 == "Received"                         { latency[id] = $(NF - 1) }
$3 == "Execution" || $3 == "Lambda"      { failure[id] = $0 }
$3 == "Method"                           { status[id] = $NF }
$3 == "AWS"                              { lambda[id] = $NF }
$3 == "X-ray"                            { trace[id] = $NF }

END {
    for (id in first) {
        requests++; sum += status[id]; waited += latency[id]
        if (status[id] >= 500) failed++
    }
    printf "{\"requests\": %d, \"failed\": %d, \"status_sum\": %d, \"integration_ms_sum\": %.0f}\n", requests, failed, sum, waited
}
