"""The officer's pages and the API."""
