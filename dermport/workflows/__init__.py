"""What a command does, without a terminal: the one room that joins the others."""
