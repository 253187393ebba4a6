"""The one line of `curl -w` timings that we ask for and that we read back."""

#: Ready for `curl -sS -o /dev/null -w '...' URL`.
CURL_WRITE_OUT = (
    r"\ndns=%{time_namelookup} connect=%{time_connect} tls=%{time_appconnect}"
    r" first_byte=%{time_starttransfer} total=%{time_total} status=%{http_code} host=%{url_effective}\n"
)
