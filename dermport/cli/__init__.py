"""The `dermport` command, one file per subcommand; the only place that joins the rooms."""
