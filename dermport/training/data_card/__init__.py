"""What a data set is: counts, people, licences, quality, near-duplicates and the split that it gives."""
