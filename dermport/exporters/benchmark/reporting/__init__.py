"""What a benchmark's report says: tables and pictures that HTML and Markdown then write alike."""
