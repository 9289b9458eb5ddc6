"""Benchmarks of the product's own code: `make bench`. See docs/performance.md."""
