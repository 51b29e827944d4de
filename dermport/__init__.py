"""Vision models on phones and Jetsons: trained, exported, proved, served and compared."""
