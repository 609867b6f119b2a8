"""A rough box put right by a model that is kept loaded in a child process."""
