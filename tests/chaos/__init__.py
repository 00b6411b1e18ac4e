"""Everything dies, and nothing that was accepted is lost or applied twice."""
