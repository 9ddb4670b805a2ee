"""What a world is made of on disk: pages in SQLite, a Tantivy index, LanceDB vectors, and the text rules they share."""
