"""One file for each place that sensor values come from."""
