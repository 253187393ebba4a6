# Sorted "bin latency" lines to the sum of their p99 (nearest rank), and the counts, which come last, as they are.

function close_bin() { if (n) { rank = int(n * 0.99); if (rank < n * 0.99) rank++; p99 += value[rank]; bins++ } n = 0 }
/^~/ { close_bin(); printf "%s, \"bins\": %d, \"p99_sum\": %d}\n", substr($0, 2), bins, p99; next }
$1 != bin { close_bin(); bin = $1 }
{ value[++n] = $2 }
