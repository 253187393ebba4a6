# Sorted "bin latency" lines to the sum of their p99 (nearest rank), and the counts, which come last, as they are.

function close_bin() { if (n) { p99 += value[int((99 * n + 99) / 100)]; bins++ } n = 0 }
/^~/ { close_bin(); printf "%s, \"bins\": %d, \"p99_sum\": %.0f}\n", substr($0, 2), bins, p99; next }
$1 != bin { close_bin(); bin = $1 }
{ value[++n] = $2 }
