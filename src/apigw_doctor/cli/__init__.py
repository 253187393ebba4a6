"""Commands, options and exit statuses; the only place that prints or exits."""
