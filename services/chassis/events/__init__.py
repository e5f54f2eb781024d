"""Facts between services: from an outbox through NATS JetStream into an inbox, at least once."""
