"""What to look at first, how right suggestions were, and where one stands in the loop."""
