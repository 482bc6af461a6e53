"""What this board offers, lacks, and how to mend it."""
