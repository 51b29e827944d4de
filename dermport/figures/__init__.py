"""What is drawn: charts as SVG or PNG, and maps over photos."""
