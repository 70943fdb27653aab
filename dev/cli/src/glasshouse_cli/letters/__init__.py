"""Dead letters: what no backend took, as the Collector's extension `dead_letter` keeps it."""
