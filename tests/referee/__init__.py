"""The referee: an independent reading of captured bytes, and the tools that capture them."""
