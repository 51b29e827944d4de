"""One zip for each platform: everything that its developer drops in, and what was proved of it."""
