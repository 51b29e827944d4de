"""What all processes of one server on one machine share beside the database: memory, locks, counts."""
