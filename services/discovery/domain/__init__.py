"""What discovery knows without any machinery: products, searches, scores."""
