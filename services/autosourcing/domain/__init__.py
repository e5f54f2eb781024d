"""What a job, a pick and a profile are; pure values and functions."""
