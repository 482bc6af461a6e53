"""What a file holds, and what a backend would refuse of it."""
