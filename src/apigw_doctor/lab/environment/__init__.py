"""What runs inside the lab's function processes; imports nothing of ours, for it stands beside users' code."""
