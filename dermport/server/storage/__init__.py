"""What the server remembers: SQLAlchemy tables, one file per noun, migrated by Alembic."""
