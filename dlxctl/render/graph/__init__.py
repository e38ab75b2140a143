"""The picture of a topology as Mermaid, DOT and SVG: one `Picture` of boxes and edges, three ways to write it down."""
