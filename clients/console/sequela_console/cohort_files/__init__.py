"""The folders of cohorts, their descriptions, and the database that reads them."""
