"""Batman's work on a cluster, from Python; `batman` is its public name."""
