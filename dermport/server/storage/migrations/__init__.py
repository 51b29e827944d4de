"""Alembic's migrations; :meth:`.server.storage.database.Database.migrate` runs them, also from an installed wheel."""
