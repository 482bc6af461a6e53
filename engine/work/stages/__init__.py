"""What each stage of a run does: one file a stage, each with `run(job) -> Outcome`."""
