"""What the pages of pay read: plain values, made from the standing figures and from what batches took. Reads only."""
