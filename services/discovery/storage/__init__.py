"""Discovery's own tables: caches, scores, history, steps."""
