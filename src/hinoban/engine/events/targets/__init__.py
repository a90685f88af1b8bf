"""What happens after a rule matched or a slot came: deliveries to targets, their retries, their end (facts/eventbridge.md §6)."""
