"""Published protocols as presets: run as published and honestly, and reported beside what the papers say."""
