"""What every room may use: time, ids, units, errors, supervision. Knows nothing of AWS."""
